"""What can be measured of a segmenter: each probe runs it a few times and says how long each run took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.errors import BadFile, Failure
from lesionctl.predict.predict import predict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from lesionctl.imaging.arrays import Image
    from lesionctl.predict.jobs import Job
    from lesionctl.runtime.segmenter import Segmenter


@dataclass(frozen=True)
class Probe:
    """Something to measure.

    Attributes:
        what: Name, as in `Timing.what`.
        segmenter: The model.
        batch_size: Pictures per run of the network.
        images: Pictures per run of the probe.
        run: Runs it a few times and returns the seconds of each run.
    """

    what: str
    segmenter: Segmenter
    batch_size: int
    images: int
    run: Callable[[], list[float]]


def probe_model(segmenter: Segmenter, images: list[Image], batch_size: int) -> Probe:
    """The network alone, from bytes in memory to probabilities in memory.

    Args:
        segmenter: The model.
        images: Each uint8 `[H, W, 3]`; brought to the network's geometry before the clock starts.
        batch_size: Pictures per run; the pictures are repeated to fill it.
    """
    views = np.stack([segmenter.spec.frame(*image.shape[:2]).shrink(image) for image in images])
    starts = range(0, len(views), batch_size)
    batches = [views[np.arange(start, start + batch_size) % len(views)] for start in starts]

    def run() -> list[float]:
        return [_seconds(segmenter.forward, batch) for batch in batches]

    return Probe("model", segmenter, batch_size, batch_size, run)


def probe_latency(segmenter: Segmenter, jobs: list[Job]) -> Probe:
    """From file to mask file, one picture at a time."""

    def run() -> list[float]:
        return [_seconds(_exhaust, predict(segmenter, [job], batch_size=1)) for job in jobs]

    return Probe("predict each", segmenter, 1, 1, run)


def probe_throughput(segmenter: Segmenter, jobs: list[Job], batch_size: int) -> Probe:
    """From files to mask files, all pictures in one go."""

    def run() -> list[float]:
        return [_seconds(_exhaust, predict(segmenter, jobs, batch_size=batch_size))]

    return Probe("predict all", segmenter, batch_size, len(jobs), run)


def _seconds(function: Callable[[Any], Any], argument: Any) -> float:
    began = time.perf_counter()
    function(argument)  # a segmenter returns arrays of the host, so the device is done when it returns
    return time.perf_counter() - began


def _exhaust(outcomes: Iterator[Any]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            raise BadFile(outcome.path, outcome.reason, hint="measure on pictures that can be read")
