"""The whole of measuring: pictures, cases that take turns, and what is to be said beside their speed."""

from __future__ import annotations

import signal
import tempfile
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl.bench.case import FROM_FILES, Case, What
from lesionctl.bench.facts import Facts, add_largest, add_peaks, add_quality, split_stages_of
from lesionctl.bench.pictures import describe_pictures, draw_pictures
from lesionctl.bench.process import CaseFailed, CaseProcess
from lesionctl.bench.result import BenchResult, Row
from lesionctl.bench.turns import Refused, measure_in_turn
from lesionctl.bench.worker import Assignment
from lesionctl.dataset.inputs import find_inputs
from lesionctl.dataset.store import open_store
from lesionctl.errors import UsageError
from lesionctl.progress import Progress, Silent
from lesionctl.runtime.backend import Backend, may_have_accelerator
from lesionctl.runtime.environment import describe_environment
from lesionctl.runtime.load import digest_of, find_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lesionctl.bench.process import Begin


@dataclass(frozen=True)
class BenchOptions:
    """How it is measured.

    Attributes:
        images: Files, folders or patterns to predict from; pictures are drawn if there are none.
        repeats: Turns that count; a first one warms up.
        store: Also score each model, as it runs in each case, on the test split of this store.
        largest_batch: Also find how many pictures fit the device at once.
        only_what_works: Leave out what this machine lacks, instead of giving the reason in a row, and what turns out to
            run as another case does.
    """

    images: tuple[str, ...] = ()
    repeats: int = 5
    store: Path | None = None
    largest_batch: bool = False
    only_what_works: bool = False


def bench(
    cases: Sequence[Case], options: BenchOptions = BenchOptions(), progress: Progress | None = None
) -> BenchResult:
    """Measure cases, each in a process of its own, those that measure the same thing in turn.

    Args:
        cases: What to measure; see `plan_cases`.
        options: How.
        progress: Who listens.

    Returns:
        A row for each case; one that could not run, or not be scored, has the reason.

    Raises:
        UsageError: There is no such model, there are no such pictures, or no CUDA at all.
        BadFile: There is no such store.
        LesionctlError: Nothing could run, all for the same reason, or for what this machine lacks.
        SystemExit: SIGTERM or SIGHUP came; no process and no file is left behind.
    """
    progress = progress or Silent()
    _require_driver(cases)
    digests = {model: digest_of(find_model(model)) for model in dict.fromkeys(case.model for case in cases)}
    if options.store is not None:
        open_store(options.store)
    with _ending_tidily(), tempfile.TemporaryDirectory(prefix="lesionctl-bench-") as folder:
        scratch = Path(folder) / "processes"
        scratch.mkdir()
        paths: tuple[Path, ...] = ()
        pictures = None
        if any(case.what in FROM_FILES for case in cases):
            paths = _find_pictures(options.images, Path(folder), progress)
            pictures = describe_pictures(paths, drawn=not options.images)
        begin = partial(_begin, paths=paths, scratch=scratch)
        _convert(cases, begin)

        for case in cases:
            progress.detail(f"to be measured: {case.label}")
        outcomes = _measure(cases, begin, options, progress)
        rows = [replace(row, digest=digests[row.case.model]) for row in _keep_rows(outcomes, options, progress)]
        if options.store is not None:
            rows = add_quality(rows, options.store, begin, progress)
        rows = add_peaks(rows, begin, progress)
        if options.largest_batch:
            rows = add_largest(rows, begin, progress)
        stages = split_stages_of(cases, begin, progress)
    return BenchResult(describe_environment(runtimes=True), tuple(rows), tuple(stages), pictures)


@contextmanager
def _ending_tidily() -> Iterator[None]:
    """Let a scheduler's signal, or that of a terminal that is closed, end the block as an error would."""

    def on_signal(number: int, _: object) -> None:
        raise SystemExit(128 + number)  # as shells tell a death by signal

    in_main_thread = threading.current_thread() is threading.main_thread()  # Python takes signals nowhere else
    names = ("SIGTERM", "SIGHUP") if in_main_thread else ()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup
            signal.signal(number, on_signal)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _require_driver(cases: Iterable[Case]) -> None:
    """See that CUDA is possible at all, before a process of each case finds out by itself."""
    wanted = next((case.device for case in cases if case.device.startswith("cuda")), None)
    if wanted is not None and not may_have_accelerator():
        raise UsageError(
            f"there is no device '{wanted}': this machine has no NVIDIA driver",
            hint="use --device cpu; on a cluster, ask for a GPU, such as with --gres=gpu:1",
        )


def _find_pictures(names: Sequence[str], folder: Path, progress: Progress) -> tuple[Path, ...]:
    if names:
        return tuple(item.path.absolute() for item in find_inputs(list(names)))
    return tuple(draw_pictures(folder / "pictures", progress=progress))


def _begin(case: Case, *, paths: tuple[Path, ...], scratch: Path) -> CaseProcess:
    return CaseProcess(Assignment(case, paths if case.what in FROM_FILES else ()), scratch)


def _convert(cases: Iterable[Case], begin: Begin) -> None:
    """Have model files made into what other runtimes need, which is done once: in no case's time or memory."""
    seen: set[str] = set()
    for case in cases:
        path = find_model(case.model)
        converts = case.backend in {Backend.ONNX, Backend.OPENVINO} and path.suffix == ".safetensors"
        if not converts or path.with_suffix(".onnx").is_file() or case.model in seen:
            continue
        seen.add(case.model)
        with begin(case) as process, suppress(CaseFailed):  # the case itself will fail and say why
            process.ask("load")


def _measure(cases: Sequence[Case], begin: Begin, options: BenchOptions, progress: Progress) -> list[Row | Refused]:
    facts = Facts()
    timed = [case for case in cases if case.what is not What.STAGES]
    outcomes: list[Row | Refused] = []
    with progress.task("measuring", len(timed) * (options.repeats + 1)) as task:
        for what in dict.fromkeys(case.what for case in timed):
            alike = [case for case in timed if case.what is what]
            outcomes += measure_in_turn(
                alike, begin, options.repeats, task, facts.add_to, each_once=options.only_what_works
            )
    return outcomes


def _keep_rows(outcomes: Sequence[Row | Refused], options: BenchOptions, progress: Progress) -> list[Row]:
    """A row for each, with the reason of what could not start, unless that is all there is, or is to be left out."""
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    if refused and len(refused) == len(outcomes):
        all_lack = options.only_what_works and all(outcome.error.is_lack for outcome in refused)
        if all_lack or len({outcome.error.what for outcome in refused}) == 1:
            raise refused[0].error
    rows = []
    for outcome in outcomes:
        if isinstance(outcome, Row):
            rows.append(outcome)
            progress.detail(f"{outcome.case.label}: ran on {outcome.runs_on or 'nothing'}")
        elif options.only_what_works and outcome.error.is_lack:
            progress.say(f"left out: {outcome.case.label}: {outcome.error.what}")
        else:
            rows.append(Row(outcome.case, reason=outcome.error.what))
    return rows
