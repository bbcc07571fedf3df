"""The threshold that serves a validation set best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lesionctl.imaging.arrays import Mask, Probability

    Jaccards = np.ndarray[tuple[int], np.dtype[np.float64]]

_BINS = 100
_PIXELS_AT_ONCE = 2**16  # of a strip: what is made of its pixels is small, however large the picture
_THRESHOLDS = (np.arange(1, _BINS) / _BINS).astype(np.float32)  # as a mask compares them


def jaccard_at_each_threshold(probability: Probability, truth: Mask) -> Jaccards:
    """The Jaccard of one picture at 0.01, 0.02, ..., 0.99, from one histogram.

    Args:
        probability: float32 `[H, W]` in [0, 1].
        truth: bool `[H, W]`.

    Returns:
        float64 `[99]` in [0, 1].
    """
    everything, lesion = np.zeros(_BINS, np.int64), np.zeros(_BINS, np.int64)
    rows = max(1, _PIXELS_AT_ONCE // probability.shape[1])
    for top in range(0, len(probability), rows):
        strip = slice(top, top + rows)
        bins = np.searchsorted(_THRESHOLDS, probability[strip])  # how many thresholds a pixel is above
        everything += np.bincount(bins.ravel(), minlength=_BINS)
        lesion += np.bincount(bins[truth[strip]], minlength=_BINS)
    predicted = everything[::-1].cumsum()[::-1][1:]  # pixels above 0.01, 0.02, ..., 0.99
    tp = lesion[::-1].cumsum()[::-1][1:]
    union = predicted + lesion.sum() - tp
    return np.where(union > 0, tp / np.maximum(union, 1), 1.0)


class ThresholdSearch:
    """Scores every threshold from 0.01 to 0.99 at once."""

    def __init__(self) -> None:
        self._jaccards: list[Jaccards] = []

    def update(self, probability: Probability, truth: Mask) -> None:
        """Add a picture: float32 `[H, W]` in [0, 1] and bool `[H, W]`."""
        self.add(jaccard_at_each_threshold(probability, truth))

    def add(self, jaccards: Jaccards) -> None:
        """Add a picture by what `jaccard_at_each_threshold` says of it."""
        self._jaccards.append(jaccards)

    def __len__(self) -> int:
        """Pictures added so far."""
        return len(self._jaccards)

    def best(self) -> float:
        """The threshold with the highest per-image mean Jaccard: the middle of those that do equally well.

        Raises:
            ValueError: No picture was added.
        """
        if not self._jaccards:
            raise ValueError("a threshold needs pictures to be chosen on")
        means = np.mean(self._jaccards, axis=0)
        winners = np.flatnonzero(means >= means.max() - 1e-12)
        return float((winners[len(winners) // 2] + 1) / _BINS)
