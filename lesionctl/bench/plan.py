"""From what a person asks for to the cases that are measured."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from lesionctl.bench.case import Case, What
from lesionctl.errors import UsageError
from lesionctl.paths import DEFAULT_MODEL
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.threads import available_cpus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BY_DEFAULT = (What.NETWORK, What.PREDICT_EACH, What.PREDICT_ALL, What.STAGES)

_NETWORK_BATCHES = (1, 8)
_BATCH = 8
_SMALLEST = 32  # pixels, as in training

# The first is what the others are compared with.
_EVERY_WAY = (
    (Backend.TORCH, Precision.FP32),
    (Backend.TORCH, Precision.BF16),
    (Backend.TORCH, Precision.FP16),
    (Backend.ONNX, Precision.FP32),
    (Backend.OPENVINO, Precision.FP32),
    (Backend.OPENVINO, Precision.BF16),
    (Backend.OPENVINO, Precision.FP16),
)


@dataclass(frozen=True)
class Wanted:
    """What a person asks for; where several values are given, each is combined with each.

    Attributes:
        what: What to measure.
        models: Names, as in `find_model`.
        backends: What runs them.
        precisions: Number formats.
        every_way: Every backend in every number format, whatever `backends` says, torch in float32 first; of the number
            formats only those in `precisions`, where there are any but AUTO.
        device: As in `choose_compute`.
        batch_sizes: Pictures per run of the network; none: 1 and 8 of the network alone, else 8.
        threads: Processors to use; none: what the program takes by itself.
        compiled: Beside each case on torch, one that torch compiles.
        channels_last: Layouts of memory on torch, by whether channels are last.
        sizes: Sides of the network's square input on torch, in pixels, any from 32 on: networks pad what they cannot
            halve often enough. None: each model's own, on any backend.
    """

    what: Sequence[What] = BY_DEFAULT
    models: Sequence[str] = (DEFAULT_MODEL,)
    backends: Sequence[Backend] = (Backend.AUTO,)
    precisions: Sequence[Precision] = (Precision.AUTO,)
    every_way: bool = False
    device: str = "auto"
    batch_sizes: Sequence[int] = ()
    threads: Sequence[int] = ()
    compiled: bool = False
    channels_last: Sequence[bool] = (True,)
    sizes: Sequence[int] = ()


def plan_cases(wanted: Wanted) -> list[Case]:
    """The cases that are asked for, in the order in which they are shown, each once.

    What only torch can do (train, compile, another layout or size) is measured on torch, whatever the backend would be.

    Raises:
        UsageError: More threads are asked for than this process may use processors, a size is too small, or what only
            torch can do is asked of other backends alone.
    """
    most = available_cpus()
    for threads in wanted.threads:
        if threads > most:
            raise UsageError(f"--threads {threads} is more than the {most} processors that this process may use")
    for size in wanted.sizes:
        if size < _SMALLEST:
            raise UsageError(f"--size cannot be {size}", hint=f"a network's input has a side of {_SMALLEST} px or more")
    cases = dict.fromkeys(case for what in dict.fromkeys(wanted.what) for case in _cases_of(what, wanted))
    if not cases:
        raise UsageError(
            "only torch trains, compiles, and has a choice of layout and size",
            hint="add --backend torch, or leave out --backend",
        )
    return list(cases)


def _cases_of(what: What, wanted: Wanted) -> Iterator[Case]:
    ways = _ways(wanted)
    compiling = (False, True) if wanted.compiled else (False,)
    for model, (backend, precision), threads in product(wanted.models, ways, wanted.threads or (0,)):
        for batch_size in _batch_sizes(what, wanted):
            for size, layout, compiled in product(wanted.sizes or (0,), wanted.channels_last, compiling):
                runs_on = backend
                if what is What.TRAIN or compiled or not layout or size:
                    if backend not in {Backend.AUTO, Backend.TORCH} or (what is What.TRAIN and not layout):
                        continue
                    runs_on = Backend.TORCH
                if what is What.STAGES and compiled:
                    continue
                yield Case(what, model, runs_on, precision, wanted.device, batch_size, threads, compiled, layout, size)


def _ways(wanted: Wanted) -> list[tuple[Backend, Precision]]:
    if not wanted.every_way:
        return list(product(wanted.backends, wanted.precisions))
    any_precision = Precision.AUTO in wanted.precisions
    return [way for way in _EVERY_WAY if any_precision or way[1] in wanted.precisions]


def _batch_sizes(what: What, wanted: Wanted) -> Sequence[int]:
    if what is What.PREDICT_EACH:
        return (1,)
    if what is What.STAGES:
        return (_BATCH,)
    return wanted.batch_sizes or (_NETWORK_BATCHES if what is What.NETWORK else (_BATCH,))
