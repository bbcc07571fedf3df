"""How good the weights are now, by the same segmenter and the same counting that evaluation uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionctl.scoring.counts import count
from lesionctl.scoring.scoreboard import Scoreboard
from lesionctl.scoring.threshold import ThresholdSearch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lesionctl.dataset.store import Store
    from lesionctl.imaging.arrays import Mask, Probability
    from lesionctl.runtime.segmenter import Segmenter

_BATCH = 16


def score_rows(segmenter: Segmenter, store: Store, rows: NDArray[np.int64]) -> dict[str, float]:
    """Per-image mean figures on rows of a store, at the store's resolution.

    Args:
        segmenter: The model; its own threshold applies.
        store: The prepared set.
        rows: Which of its rows; at least one.
    """
    board = Scoreboard()
    for probability, truth in _predict_rows(segmenter, store, rows):
        board.add(count(probability > segmenter.spec.threshold, truth))
    return board.per_image()


def choose_threshold(segmenter: Segmenter, store: Store, rows: NDArray[np.int64]) -> float:
    """The threshold with the highest per-image mean Jaccard on rows of a store, at the store's resolution."""
    search = ThresholdSearch()
    for probability, truth in _predict_rows(segmenter, store, rows):
        search.update(probability, truth)
    return search.best()


def _predict_rows(segmenter: Segmenter, store: Store, rows: NDArray[np.int64]) -> Iterator[tuple[Probability, Mask]]:
    frame = segmenter.spec.frame(store.info.size, store.info.size)
    for start in range(0, len(rows), _BATCH):
        chunk = rows[start : start + _BATCH]
        for row, probability in zip(chunk, segmenter.segment(list(store.images[chunk])), strict=True):
            yield frame.restore(probability), store.masks[row]
