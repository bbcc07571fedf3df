"""How many pictures a second the networks alone manage, side by side."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.imaging.arrays import Image
    from lesionctl.runtime.segmenter import Segmenter


def images_per_second(
    segmenters: Sequence[Segmenter], views: Sequence[Image], batch_size: int = 8, turns: int = 5
) -> list[float]:
    """Measure the networks alone, from bytes in memory to probabilities in memory, by the median turn.

    The segmenters take turns, so that a machine whose speed drifts is fair to all; a first turn warms up and is not
    counted.

    Args:
        segmenters: The models.
        views: Pictures, each uint8 `[H, W, 3]`, at least one; they are brought to each network's geometry before the
            clock starts, and repeated until they fill a batch.
        batch_size: Pictures per run of the network.
        turns: Runs of each that count.

    Returns:
        Pictures per second, one figure for each segmenter.
    """
    rows = np.arange(batch_size) % len(views)
    batches = []
    for segmenter in segmenters:
        squares = [segmenter.spec.frame(*view.shape[:2]).shrink(view) for view in views[:batch_size]]
        batches.append(np.stack([squares[row] for row in rows]))
    seconds: list[list[float]] = [[] for _ in segmenters]
    for turn in range(turns + 1):
        for segmenter, batch, taken in zip(segmenters, batches, seconds, strict=True):
            began = time.perf_counter()
            segmenter.forward(batch)  # it returns arrays of the host, so the device is done then
            if turn > 0:
                taken.append(time.perf_counter() - began)
    return [batch_size / float(np.median(taken)) for taken in seconds]
