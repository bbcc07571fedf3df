"""The largest batch whose training step fits into memory, measured on this device."""

from __future__ import annotations

import gc
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import torch

from lesionctl.errors import LesionctlError, UsageError
from lesionctl.progress import format_bytes
from lesionctl.runtime.device import choose_compute
from lesionctl.runtime.host_memory import memory_for_this_process
from lesionctl.runtime.out_of_memory import is_out_of_memory
from lesionctl.runtime.peak_memory import peak_memory_mb
from lesionctl.train.memory.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.device import Compute
    from lesionctl.train.options import TrainOptions

_LARGEST = {"cpu": 16, "cuda": 256, "mps": 64}
"""Where the search ends: larger batches want other rates, and gain little speed."""

_MARGIN = 0.9
"""Share of the memory that a step may need: the rest is for data, validation and what cannot be foreseen."""

_TRIED = (2, 4)


@dataclass(frozen=True)
class BatchFit:
    """What fits.

    Attributes:
        batch_size: Pictures per forward pass, a power of two.
        needed: Bytes that a step of so many needs, by a straight line through two measured batches; None where that
            could not be measured.
        available: Bytes that there are.
    """

    batch_size: int
    needed: int | None
    available: int | None

    def describe(self) -> str:
        """How near the limit it is: `needs 2.0 of 19.4 GB, measured`."""
        if self.needed is None or self.available is None:
            return "tried out"
        return f"needs {format_bytes(self.needed)} of {format_bytes(self.available)}, measured"


def largest_batch_size(
    options: TrainOptions, spec: ModelSpec, compute: Compute, largest: int | None = None
) -> BatchFit:
    """The largest of 1, 2, 4, 8, … pictures with which a training step fits into the memory of the device.

    Args:
        options: How it trains; its own batch size does not matter.
        spec: What the network is, and its input's size.
        compute: Where.
        largest: Where to stop; by default where the device gains nothing more.

    Raises:
        UsageError: Not even one picture fits.
    """
    largest = largest or _LARGEST[compute.device.type]
    sizes = [2**power for power in range(largest.bit_length())]
    if compute.device.type == "cpu":
        return _largest_on_cpu(options, spec, compute, sizes)
    try:
        return _largest_on_accelerator(options, spec, compute, sizes)
    finally:
        _forget(compute)


def out_of_memory(options: TrainOptions, spec: ModelSpec, compute: Compute) -> LesionctlError:
    """What to tell a person whose training has run out of memory: which batch would have fitted.

    Args:
        options: How it trained.
        spec: What the network is, and its input's size.
        compute: Where.
    """
    wanted = options.batch_size * options.accumulate
    what = f"{compute.device} has no memory left for --batch-size {options.batch_size} at {spec.size} px"
    smaller = "a smaller --size or a smaller --encoder needs less"
    if options.batch_size == 1:
        return LesionctlError(what, hint=smaller)
    try:
        fit = largest_batch_size(options, spec, compute, options.batch_size // 2)
    except UsageError:
        return LesionctlError(what, hint=smaller)
    parts = ceil(wanted / fit.batch_size)
    return LesionctlError(
        what,
        hint=f"--batch-size {fit.batch_size} would fit ({fit.describe()}); with --accumulate {parts} a step still "
        f"learns from {fit.batch_size * parts} pictures",
    )


def _largest_on_cpu(options: TrainOptions, spec: ModelSpec, compute: Compute, sizes: Sequence[int]) -> BatchFit:
    available = memory_for_this_process()
    if available is None:
        return BatchFit(sizes[-1], None, None)
    tried = [size for size in sizes if size in _TRIED] or list(sizes)
    try:
        peaks = _peaks_in_new_process(options, spec, compute, tried)
    except (BrokenProcessPool, RuntimeError) as error:
        if isinstance(error, BrokenProcessPool) or is_out_of_memory(error):  # the system ended it, or refused
            raise _nothing_fits(spec, available) from error
        raise
    if not peaks[-1]:  # nobody says on Windows
        return BatchFit(sizes[-1], None, None)
    per_picture = (peaks[-1] - peaks[0]) / max(1, tried[-1] - tried[0])

    def needed(size: int) -> int:
        return round(max(0.0, peaks[-1] + per_picture * (size - tried[-1])))

    fitting = [size for size in sizes if needed(size) <= _MARGIN * available]
    if not fitting:
        raise _nothing_fits(spec, available)
    return BatchFit(fitting[-1], needed(fitting[-1]), available)


def _peaks_in_new_process(
    options: TrainOptions, spec: ModelSpec, compute: Compute, sizes: Sequence[int]
) -> list[float]:
    """Highest memory, in bytes, of a process that trains with each of these batches in turn, ascending.

    A process of its own, because the highest memory of this one may be older. Counting the bytes of tensors would be
    quicker and a quarter to a third too low: they leave gaps in a heap that never shrinks (see `keep_freed_memory`).
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_peaks, options, spec, compute, sizes).result()


def _peaks(options: TrainOptions, spec: ModelSpec, compute: Compute, sizes: Sequence[int]) -> list[float]:
    compute = choose_compute("cpu", compute.precision)  # it sets up threads and heap of this process too
    trial, peaks = Trial(options, spec, compute), []
    for size in sizes:
        for _ in range(3):  # the heap is as large as it becomes after the second
            trial.step_on_noise(size)
        peaks.append(peak_memory_mb(compute) * 1e6)
    return peaks


def _largest_on_accelerator(options: TrainOptions, spec: ModelSpec, compute: Compute, sizes: Sequence[int]) -> BatchFit:
    """Foresee it from two small batches where the device says what they need, then try it out."""
    available: int | None = None
    needs: dict[int, int | None] = dict.fromkeys(sizes)
    trial = Trial(options, spec, compute)
    if compute.device.type == "cuda":
        available = _free_on_gpu(compute)
        try:
            needs = _needs_on_gpu(trial, compute, sizes)
        except torch.OutOfMemoryError:  # where not even those fit, one may
            _forget(compute)
    for size in reversed(sizes):
        need = needs[size]
        if need is not None and available is not None and need > _MARGIN * available:
            continue
        try:
            trial.step_on_noise(size)
            trial.step_on_noise(size)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        else:
            return BatchFit(size, need, available)
        _forget(compute)
    raise _nothing_fits(spec, available)


def _needs_on_gpu(trial: Trial, compute: Compute, sizes: Sequence[int]) -> dict[int, int | None]:
    """Bytes that a step with each of these batches needs, by a straight line through two that are measured."""
    peaks = {}
    for size in [size for size in sizes if size in _TRIED] or sizes:
        trial.step_on_noise(size)  # the first step of a size also looks for the best kernels
        torch.cuda.reset_peak_memory_stats(compute.device)
        trial.step_on_noise(size)
        peaks[size] = torch.cuda.max_memory_allocated(compute.device)
    (first, low), (last, high) = min(peaks.items()), max(peaks.items())
    per_picture = (high - low) / max(1, last - first)
    return {size: round(high + per_picture * (size - last)) for size in sizes}


def _free_on_gpu(compute: Compute) -> int:
    """Bytes that are free, or that torch holds for this process."""
    free: int = torch.cuda.mem_get_info(compute.device)[0]
    return free + torch.cuda.memory_reserved(compute.device)


def _forget(compute: Compute) -> None:
    gc.collect()
    if compute.device.type == "cuda":
        torch.cuda.empty_cache()


def _nothing_fits(spec: ModelSpec, available: int | None) -> UsageError:
    there = f" into the {format_bytes(available)} that there are" if available is not None else " into memory"
    return UsageError(
        f"a training step does not fit{there}, even with one picture of {spec.size} px",
        hint="choose a smaller --size or --encoder, or give the job more memory",
    )
