"""How good the weights are now, by the same segmenter and the same counting that evaluation uses."""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.scoring.counts import count
from lesionctl.scoring.overlap import dice
from lesionctl.scoring.scoreboard import Scoreboard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lesionctl.dataset.store import Store
    from lesionctl.imaging.arrays import Image, Mask, Probability
    from lesionctl.runtime.segmenter import Segmenter
    from lesionctl.train.distributed.ranks import Ranks

_BATCH = 16
_OVERLAYS = 8


def score_rows(
    segmenter: Segmenter, store: Store, rows: NDArray[np.int64], ranks: Ranks | None = None
) -> dict[str, float]:
    """Per-image mean figures on rows of a store, at the store's resolution.

    Args:
        segmenter: The model; its own threshold and post-processing apply.
        store: The prepared set.
        rows: Which of its rows; at least one.
        ranks: The processes that share the work; each gets the figures of all rows, the same as one alone would.
    """
    mine = rows if ranks is None else rows[ranks.rank :: ranks.world]
    frame = segmenter.spec.frame(store.info.size, store.info.size)
    counts = [
        count(segmenter.mask(probability, frame), store.masks[row])
        for row, probability in zip(mine, _segment_rows(segmenter, store, mine), strict=True)
    ]
    shares = [counts] if ranks is None else ranks.gather(counts)
    board = Scoreboard()
    for counted in chain.from_iterable(zip_longest(*shares)):  # in the order of the rows, as one process adds them up
        if counted is not None:
            board.add(counted)
    return board.per_image()


def predict_rows(segmenter: Segmenter, store: Store, rows: NDArray[np.int64]) -> Iterator[tuple[Probability, Mask]]:
    """Probabilities, float32 `[S, S]`, and truth, bool `[S, S]`, of rows of a store, at its resolution."""
    frame = segmenter.spec.frame(store.info.size, store.info.size)
    for row, probability in zip(rows, _segment_rows(segmenter, store, rows), strict=True):
        yield frame.restore(probability), store.masks[row]


def paint_overlays(
    segmenter: Segmenter, store: Store, rows: NDArray[np.int64]
) -> list[tuple[Image, Mask, Mask, float]]:
    """What the model finds in a few of the rows, always the same ones.

    Returns:
        For each the picture, uint8 `[S, S, 3]`, the truth and the prediction, bool `[S, S]`, and their Dice.
    """
    frame = segmenter.spec.frame(store.info.size, store.info.size)
    some = rows[np.linspace(0, len(rows) - 1, min(_OVERLAYS, len(rows))).astype(int)]
    overlays = []
    for row, probability in zip(some, _segment_rows(segmenter, store, some), strict=True):
        truth, prediction = np.array(store.masks[row]), segmenter.mask(probability, frame)
        overlays.append((np.array(store.images[row]), truth, prediction, dice(count(prediction, truth))))
    return overlays


def _segment_rows(segmenter: Segmenter, store: Store, rows: NDArray[np.int64]) -> Iterator[Probability]:
    for start in range(0, len(rows), _BATCH):
        yield from segmenter.segment(list(store.images[rows[start : start + _BATCH]]))
