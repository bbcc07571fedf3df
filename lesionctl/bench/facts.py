"""What is said of a case beside its speed: its network's work, quality, the machine's peak, largest batch, stages.

Each process but that of the work has the machine for itself, and tells how far it is.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from lesionctl.bench.case import Case, What
from lesionctl.bench.peak import share
from lesionctl.bench.process import CaseFailed
from lesionctl.bench.work import Work
from lesionctl.bench.worker import device_of
from lesionctl.runtime.precision import Precision

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lesionctl.bench.peak import Peak
    from lesionctl.bench.process import Begin, CaseProcess
    from lesionctl.bench.quality import Quality
    from lesionctl.bench.result import Row
    from lesionctl.progress import Progress

_ARITHMETIC = {What.NETWORK, What.TRAIN}


class Facts:
    """What a case's process can tell once it is measured; the work is asked for once of each model at each size."""

    def __init__(self) -> None:
        self._work: dict[tuple[str, int], Work] = {}

    def add_to(self, row: Row, process: CaseProcess) -> Row:
        """The row with its network's work and, of training, how fast pictures are varied."""
        network = row.case.model, row.case.size
        if network not in self._work:
            with suppress(CaseFailed):  # a network that torch cannot count is measured all the same
                self._work[network] = process.ask("work")
        if network in self._work:
            row = replace(row, work=self._work[network].to_dict())
        if row.case.what is What.TRAIN:
            with suppress(CaseFailed):
                row = replace(row, feed=process.ask("feed"))
        return row


def add_quality(rows: Sequence[Row], store: Path, begin: Begin, progress: Progress) -> list[Row]:
    """The rows with how well the model, as it ran, finds the lesions of a store's test split.

    Each way to run a model is scored once. One that cannot be scored has the reason in its rows.
    """
    wanted = {_one_way(row): row for row in reversed(rows) if _is_scored(row)}
    found: dict[_Way, Quality | str] = {}
    for way, row in reversed(wanted.items()):
        with begin(row.case) as process:
            try:
                found[way] = process.ask("quality", store, progress=progress, about=_about(row))
            except CaseFailed as failed:
                found[way] = f"it cannot be scored: {failed.what}"
    return [_with_quality(row, found[_one_way(row)]) if _is_scored(row) else row for row in rows]


def _is_scored(row: Row) -> bool:
    return bool(row.turns) and row.case.what is not What.TRAIN


def _with_quality(row: Row, found: Quality | str) -> Row:
    if isinstance(found, str):
        return replace(row, reason="; ".join(filter(None, (row.reason, found))))
    return replace(row, quality=found.to_dict())


def add_peaks(rows: Sequence[Row], begin: Begin, progress: Progress) -> list[Row]:
    """The rows of networks with what the machine manages at most, and how near they come to it.

    It is measured once for each device, number format and number of threads, in a process that has the machine for
    itself.
    """
    wanted = {_peak_key(row): row for row in reversed(rows) if row.turns and row.case.what in _ARITHMETIC}
    peaks: dict[_PeakKey, Peak] = {}
    with progress.task("peak of the machine", len(wanted)) as task:
        for key, row in wanted.items():
            task.note(" ".join(map(str, key[:2])))
            with begin(row.case) as process, suppress(CaseFailed):
                peaks[key] = process.ask("peak", key.device, key.precision)
            task.advance()
    return [_with_peak(row, peaks.get(_peak_key(row))) if row.turns else row for row in rows]


def _with_peak(row: Row, peak: Peak | None) -> Row:
    timing = row.device_timing or row.timing
    if peak is None or timing is None or row.work is None or row.case.what not in _ARITHMETIC:
        return row
    training = row.case.what is What.TRAIN
    work = Work(**row.work)
    of = share(timing.images_per_second, work, peak, batch_size=row.case.batch_size, training=training)
    return replace(row, peak=peak.operations_per_second, peak_measured=peak.to_dict(), share=of.to_dict())


def add_largest(rows: Sequence[Row], begin: Begin, progress: Progress) -> list[Row]:
    """How many pictures fit, of each way of running a model; each in a process that has the machine for itself."""
    wanted = {(_one_way(row), row.case.threads): row for row in rows if row.turns and row.case.what is What.NETWORK}
    found: dict[tuple[_Way, int], dict[str, Any]] = {}
    for key, row in wanted.items():
        with begin(row.case) as process:
            try:
                found[key] = process.ask("largest", progress=progress, about=_about(row))
            except CaseFailed as failed:
                found[key] = {"batch": None, "reason": failed.what, "best": None, "ladder": []}
    return [
        replace(row, largest=found.get((_one_way(row), row.case.threads))) if row.case.what is What.NETWORK else row
        for row in rows
    ]


def split_stages_of(cases: Sequence[Case], begin: Begin, progress: Progress) -> list[dict[str, Any]]:
    """Where the time of a prediction goes, for each case that asks for it; where that fails, `reason` says why."""
    wanted = [case for case in cases if case.what is What.STAGES]
    stages = []
    for case in wanted:
        with begin(case) as process:
            try:
                split: dict[str, Any] = process.ask("stages", progress=progress, about=case.model).to_dict()
            except CaseFailed as failed:
                split = {"reason": failed.what}
        stages.append({"case": case.to_dict(), **split})
    return stages


def _about(row: Row) -> str:
    return f"{row.case.model} {row.name}"


class _Way(NamedTuple):
    case: Case
    runs_on: str


def _one_way(row: Row) -> _Way:
    """The same for all rows that run a model in the same way, whatever is measured of it."""
    return _Way(replace(row.case, what=What.NETWORK, batch_size=1, threads=0), row.runs_on)


class _PeakKey(NamedTuple):
    device: str
    precision: Precision
    threads: int


def _peak_key(row: Row) -> _PeakKey:
    known = row.precision in set(Precision)
    # There is nothing to measure int8 by: its layers lie between layers in float32.
    return _PeakKey(device_of(row.runs_on), Precision(row.precision) if known else Precision.FP32, row.case.threads)
