"""The process of one case, from inside: it answers what it is asked until nobody asks any more.

Nothing heavy is imported before the case says what it needs: what a runtime takes in time and memory is its own.
"""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from lesionctl.bench.case import Case, Probe, What
from lesionctl.bench.relay import Teller
from lesionctl.errors import ExitCode, LesionctlError, MissingExtra, UsageError
from lesionctl.progress import Progress, Silent
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.out_of_memory import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from lesionctl.bench.peak import Peak
    from lesionctl.bench.quality import Quality
    from lesionctl.bench.split import Stages
    from lesionctl.bench.work import Work
    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.device import Compute
    from lesionctl.runtime.precision import Precision
    from lesionctl.runtime.segmenter import Segmenter

_EXPORTED = frozenset({".onnx", ".xml", ".pt2"})


@dataclass(frozen=True)
class Assignment:
    """What a process is for.

    Attributes:
        case: What it measures.
        paths: The pictures, where the case predicts from files.
    """

    case: Case
    paths: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Started:
    """A case that has had its first turn.

    Attributes:
        runs_on: What runs it, in which number format, on which device.
        images: Pictures per run.
        first_result: When it had the first result, by `time.monotonic`, which all processes share.
    """

    runs_on: str
    images: int
    first_result: float


@dataclass(frozen=True)
class Turn:
    """The runs of one turn.

    Attributes:
        seconds: Of each run.
        device_seconds: The same by the clock of the device; empty where it has none.
    """

    seconds: tuple[float, ...]
    device_seconds: tuple[float, ...]


@dataclass(frozen=True)
class Memory:
    """Highest memory so far, in MB.

    Attributes:
        process: Of the process.
        device: On the GPU, see `device_peak_mb`; None on the CPU.
    """

    process: float
    device: float | None


@dataclass(frozen=True)
class Refusal:
    """Why something could not be done.

    Attributes:
        reason: In words.
        hint: What to do about it.
        exit_code: As the error had it that was raised.
        is_lack: The machine lacks what the case needs: a package, a device, a number format of the device.
    """

    reason: str
    hint: str | None
    exit_code: ExitCode
    is_lack: bool = False


class Worker:
    """What a process answers.

    Args:
        assignment: What it is for.
        progress: Who listens to what takes long.
    """

    def __init__(self, assignment: Assignment, progress: Progress | None = None) -> None:
        self._progress = progress or Silent()
        self._case = assignment.case
        self._paths = assignment.paths
        self._segmenter: Segmenter | None = None
        self._compute: Compute | None = None
        self._probe: Probe | None = None

    def start(self) -> Started:
        """Make the case ready and have a first turn, which warms up."""
        self._probe = self._make_probe()
        times = self._probe.run()
        return Started(self._runs_on(), self._probe.images, time.monotonic() - sum(times[1:]))

    def load(self) -> None:
        """Load the model, which converts its file where that is needed, and nothing more."""
        self._load()

    def run(self) -> Turn:
        """Have one turn."""
        assert self._probe is not None
        seconds = self._probe.run()
        return Turn(tuple(seconds), tuple(getattr(self._probe, "device_seconds", ())))

    def memory(self) -> Memory:
        """Highest memory so far."""
        from lesionctl.runtime.peak_memory import device_peak_mb, process_peak_mb

        return Memory(process_peak_mb(), device_peak_mb(device_of(self._runs_on())))

    def stages(self) -> Stages:
        """Where the time of a prediction goes."""
        from lesionctl.bench.stages import split_stages

        return split_stages(self._load(), self._paths, progress=self._progress)

    def work(self) -> Work:
        """What the network has to do for a picture."""
        from lesionctl.bench.work import describe_work
        from lesionctl.runtime.load import find_model

        return describe_work(self._load().spec, find_model(self._case.model))

    def peak(self, device: str, precision: Precision) -> Peak:
        """What a device manages at most."""
        from lesionctl.bench.peak import measure_peak
        from lesionctl.runtime.threads import available_cpus

        return measure_peak(device, precision, available_cpus())

    def quality(self, store: Path) -> Quality:
        """How well the model finds the lesions of a store's test split."""
        from lesionctl.bench.quality import dice_of

        return dice_of(self._load(), store, progress=self._progress)

    def feed(self) -> float:
        """Pictures per second that all processors together can vary for training."""
        from lesionctl.bench.training import measure_feed

        return measure_feed(_load_in_torch(self._case)[0].size)

    def largest(self) -> dict[str, Any]:
        """The most pictures that fit the device at once, and from how many on more of them make it no faster."""
        from lesionctl.bench.largest import batch_ladder, best_batch, forward_of, largest_batch

        forward, latest = forward_of(self._load()), 0
        with self._progress.task("largest batch") as task:

            def run(pictures: int) -> None:
                nonlocal latest
                if pictures != latest:
                    latest = pictures
                    task.note(f"trying {pictures} at once")
                    task.advance()
                forward(pictures)

            fits = largest_batch(run, device_of(self._runs_on()))
            ladder = batch_ladder(run, fits.batch) if fits.batch else []
        return {**asdict(fits), "best": best_batch(ladder) if ladder else None, "ladder": [asdict(r) for r in ladder]}

    def _make_probe(self) -> Probe:
        case = self._case
        if case.what is What.NETWORK:
            from lesionctl.bench.network import probe_network

            return probe_network(self._load(), case.batch_size)
        if case.what is What.TRAIN:
            return self._make_training()

        from lesionctl.bench.prediction import PredictAll, PredictEach

        if case.what is What.PREDICT_EACH:
            return PredictEach(self._load(), self._paths)
        return PredictAll(self._load(), self._paths, case.batch_size)

    def _make_training(self) -> Probe:
        from lesionctl.bench.training import TrainSteps
        from lesionctl.runtime.device import choose_compute

        case = self._case
        spec, _ = _load_in_torch(case)
        self._compute = compute = choose_compute(case.device, case.precision)
        return TrainSteps(spec, compute, case.batch_size, compiled=case.compiled)

    def _load(self) -> Segmenter:
        if self._segmenter is None:
            self._segmenter = load_case(self._case, len(self._paths))
            self._compute = getattr(self._segmenter, "compute", None)
        return self._segmenter

    def _runs_on(self) -> str:
        if self._compute is not None:
            return f"torch {self._compute.precision} {self._compute.device}"
        return self._load().backend


def device_of(runs_on: str) -> str:
    """The device in a Segmenter's own words, such as `torch bf16 cuda:0`."""
    return runs_on.split()[2]


def load_case(case: Case, pictures: int) -> Segmenter:
    """The model of a case, ready to run.

    Args:
        case: What is measured.
        pictures: How many there are.

    Raises:
        LesionctlError: It cannot run here, see `load_segmenter`, or not at that size.
    """
    if case.backend is not Backend.TORCH or (case.channels_last and not case.compiled and not case.size):
        from lesionctl.runtime.load import load_segmenter

        return load_segmenter(case.model, case.device, case.precision, case.backend, pictures or None)

    from lesionctl.runtime.device import choose_compute
    from lesionctl.runtime.torch_segmenter import TorchSegmenter

    compute = replace(choose_compute(case.device, case.precision), channels_last=case.channels_last)
    return TorchSegmenter(*_load_in_torch(case), compute, compiled=case.compiled)


def _load_in_torch(case: Case) -> tuple[ModelSpec, nn.Module]:
    """The network of a case, and how it is used: at the case's size, if it has one.

    Raises:
        UsageError: The model is an exported file, which has its own size and no other.
        BadFile: It is damaged.
    """
    from lesionctl.nets.model_file import load_model
    from lesionctl.runtime.load import find_model

    path = find_model(case.model)
    if case.size and path.suffix in _EXPORTED:
        raise UsageError(
            f"{path} was exported for pictures of one size, and cannot run at {case.size} px",
            hint="name the .safetensors file that it was made from, or leave out --size",
        )
    spec, net = load_model(path)
    return (replace(spec, size=case.size) if case.size else spec), net


def main() -> None:
    """Answer on standard output what is asked on standard input, as pickles, until that ends."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    requests: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()

    def reply(message: Any) -> None:
        pickle.dump(message, replies)
        replies.flush()

    worker = Worker(requests.get(), Teller(reply))
    while True:
        name, arguments = requests.get()
        reply(_answer(getattr(worker, name), arguments))


def _listen(stream: BinaryIO, requests: queue.Queue[Any]) -> None:
    """Take requests, and end the process at once when whoever asks is gone, whatever it is busy with."""
    while True:
        try:
            requests.put(pickle.load(stream))
        except (EOFError, OSError, pickle.UnpicklingError):
            os._exit(0)


def _answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return function(*arguments)
    except LesionctlError as error:
        return Refusal(error.what, error.hint, error.exit_code, isinstance(error, (MissingExtra, UsageError)))
    except Exception as error:  # noqa: BLE001 - one case that cannot run must not stop the others, whatever it is
        return Refusal(_reason(error), None, ExitCode.FAILED)


def _reason(error: Exception) -> str:
    """One line; running out of memory is told in the same words whoever says so, and however."""
    if is_out_of_memory(error):
        return "out of memory"
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    name = type(error).__name__
    return f"{name}: {line}" if line else name
