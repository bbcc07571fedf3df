"""How many pictures fit a device at once, and from how many on more of them make it no faster."""

from __future__ import annotations

import gc
import statistics
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.progress import format_bytes
from lesionctl.runtime.host_memory import memory_for_this_process
from lesionctl.runtime.out_of_memory import is_out_of_memory
from lesionctl.runtime.peak_memory import process_peak_mb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lesionctl.runtime.segmenter import Segmenter

    Forward = Callable[[int], None]
    """Runs the network on so many pictures, and returns when it is done."""

_MARGIN = 0.9
"""Share of the host's memory that a batch may need; where it runs out, the system ends the process without a word."""

_MEASURED_ON_CPU = 64
"""The largest batch that is run to see how memory grows: on the CPU, larger ones take seconds."""

_MEASURED_AT_LEAST = 16
"""Up to here it is run in any case: heaps and arenas grow in steps, which tell little of small batches."""

_RESOLUTION = 32
"""The search ends where what fits and what does not differ by less than one part in so many."""

_SHOWS = 0.01
"""Memory that grew by a smaller share may have grown for any reason."""

_LIMIT = "the search ends here"

_AS_FAST = 0.97
"""A batch with this share of the best speed is as good as the best: the difference is noise."""

_FLAT = 2
"""A ladder ends after so many doublings that gained nothing."""


@dataclass(frozen=True)
class LargestBatch:
    """What fits.

    Attributes:
        batch: Pictures; 0 where not even one fits.
        reason: Why no more.
    """

    batch: int
    reason: str


@dataclass(frozen=True)
class Rung:
    """The speed of a batch.

    Attributes:
        batch: Pictures.
        images_per_second: By the median of the turns.
    """

    batch: int
    images_per_second: float


def forward_of(segmenter: Segmenter) -> Forward:
    """A function that runs a segmenter on so many grey pictures; time and memory do not depend on what they show."""
    size = segmenter.spec.size
    grey = np.full((1, size, size, 3), 127, np.uint8)

    def forward(pictures: int) -> None:
        nonlocal grey
        if len(grey) < pictures:
            grey = np.full((pictures, size, size, 3), 127, np.uint8)
        segmenter.forward(grey[:pictures])

    return forward


def largest_batch(forward: Forward, device: str, limit: int = 4096) -> LargestBatch:
    """The largest batch that fits.

    On the CPU nothing is tried that might not fit, because a process that takes too much is killed: small batches, each
    twice the one before, show how its memory grows, and a straight line through the last two says how many fit into
    what this process may have. Heaps do not grow evenly, so a third less is safe. On any other device batches are
    tried, doubled until one does not fit and then between the two, to about 3 %; the host's memory is watched too.

    The process should have run nothing larger before: its highest memory so far hides the need of smaller batches.

    Args:
        forward: Runs the network on so many pictures, and returns when it is done.
        device: cpu, or another one.
        limit: The search ends here.

    Raises:
        Exception: Whatever `forward` raises for one picture, unless that does not fit.
    """
    return _foresee(forward, limit) if device == "cpu" else _try_out(forward, limit)


def batch_ladder(forward: Forward, limit: int, turns: int = 3, seconds: float = 0.2) -> list[Rung]:
    """How fast batches of 1, 2, 4, 8, … pictures are; the ladder ends where doubling no longer gains.

    All of them run in turn, so that a machine whose speed drifts is fair to all.

    Args:
        forward: Runs the network on so many pictures, and returns when it is done.
        limit: The largest batch that may be run, of 1 at least; what fits is known from `largest_batch`.
        turns: How often each batch has its turn.
        seconds: A turn lasts so long, or a run if that takes longer.

    Returns:
        Ascending by batch.
    """
    speeds: dict[int, list[float]] = {}
    flat, best, batch = 0, 0.0, 1
    while batch <= limit and flat < _FLAT:
        forward(batch)  # warms up
        speed = _speed(forward, batch, seconds)
        speeds[batch] = [speed]
        flat = flat + 1 if speed * _AS_FAST < best else 0
        best, batch = max(best, speed), 2 * batch
    for _ in range(turns - 1):
        for rung, taken in speeds.items():
            taken.append(_speed(forward, rung, seconds))
    return [Rung(rung, statistics.median(taken)) for rung, taken in speeds.items()]


def best_batch(ladder: Sequence[Rung]) -> int:
    """The smallest batch that is within 3 % of the best speed."""
    best = max(rung.images_per_second for rung in ladder)
    return min(rung.batch for rung in ladder if rung.images_per_second >= _AS_FAST * best)


class _Host:
    """The memory of this process on the host, as batches become larger, in bytes.

    Args:
        pictures_stay: The network itself runs here: where it does not show what a picture takes, assume the most that
            it may be. On another device a picture takes the host no more than its own numbers.

    Attributes:
        may: What it may have in all; None where nobody says.
        peaks: The highest so far, after each batch that was run, ascending by batch.
    """

    def __init__(self, *, pictures_stay: bool) -> None:
        available = memory_for_this_process()
        self._pictures_stay = pictures_stay
        self.may = None if available is None else round(_MARGIN * available)
        self.peaks: dict[int, float] = {}

    def note(self, batch: int) -> None:
        """A batch has run."""
        self.peaks[batch] = process_peak_mb() * 1e6

    @property
    def shows(self) -> bool:
        """Whether the last batch and the one before took more than all before them: the line through them is true.

        Loading a model may take more than its first batches, which then do not show.
        """
        last = list(self.peaks.values())[-3:]
        return len(last) == 3 and all(later - earlier > _SHOWS * last[-1] for earlier, later in pairwise(last))

    def per_picture(self) -> float:
        """What each picture more takes, by the last two batches, or the most that it may be."""
        *others, (batch, now) = self.peaks.items()
        if self._pictures_stay and not self.shows:
            return now / batch  # as if all that there is were for pictures
        fewer, before = others[-1] if others else (0, now)
        return (now - before) / (batch - fewer)

    def has_room(self, batch: int) -> bool:
        """Whether a batch, larger than all before, can be run without the process being killed."""
        if self.may is None or not self.peaks:
            return True
        *_, (last, now) = self.peaks.items()
        return now + self.per_picture() * (batch - last) <= self.may


def _foresee(forward: Forward, limit: int) -> LargestBatch:
    host, fits = _Host(pictures_stay=True), 0
    for batch in (2**power for power in range(min(limit, _MEASURED_ON_CPU).bit_length())):
        if (host.shows and fits >= _MEASURED_AT_LEAST) or not host.has_room(batch):
            break
        if (why := _why_not(forward, batch, is_first=not fits)) is not None:
            return LargestBatch(fits, f"{batch}: {why}")
        host.note(batch)
        fits = batch
    if host.may is None or not any(host.peaks.values()):
        return LargestBatch(fits, "the largest that was tried: this system does not say how much memory there is")
    if host.has_room(limit):
        return LargestBatch(limit, _LIMIT)
    at_most, per_picture = "" if host.shows else "at most ", host.per_picture()
    return LargestBatch(
        fits + max(0, int((host.may - host.peaks[fits]) / per_picture)),
        f"a picture takes {at_most}{format_bytes(round(per_picture))}, measured up to batch {fits}, "
        f"and this process may have {format_bytes(host.may)}",
    )


def _try_out(forward: Forward, limit: int) -> LargestBatch:
    host, fits, too_many, reason = _Host(pictures_stay=False), 0, limit + 1, _LIMIT
    while fits < limit and (too_many > limit or too_many - fits > max(1, fits // _RESOLUTION)):
        batch = min(max(1, 2 * fits), limit) if too_many > limit else (fits + too_many) // 2
        why = None if host.has_room(batch) else "more than the host's memory may hold"
        why = why or _why_not(forward, batch, is_first=not fits)
        if why is None:
            fits = batch
            host.note(batch)
        else:
            too_many, reason = batch, f"{batch}: {why}"
    return LargestBatch(fits, reason)


def _why_not(forward: Forward, batch: int, *, is_first: bool) -> str | None:
    """Why a batch cannot be run; None: it can.

    What is no lack of memory counts too if a smaller batch could be run: some kernels refuse tensors of 2^31 numbers.
    """
    try:
        forward(batch)
    except Exception as error:
        if is_first and not is_out_of_memory(error):
            raise
        text = next(iter(str(error).splitlines()), type(error).__name__)
        why = "out of memory" if is_out_of_memory(error) else text
    else:
        return None
    _forget()  # not before the error is gone, which holds on to tensors
    return why


def _forget() -> None:
    """Give back what torch keeps on a GPU of tensors that are gone: what is left may lie in too small pieces."""
    gc.collect()
    torch = sys.modules.get("torch")  # where another runtime computes, it need not be imported for this
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _speed(forward: Forward, batch: int, seconds: float) -> float:
    """Pictures per second."""
    began = time.perf_counter()
    done, taken = 0, 0.0
    while taken < seconds or not done:
        forward(batch)
        done += batch
        taken = time.perf_counter() - began
    return done / taken
