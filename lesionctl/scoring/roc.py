"""ROC AUC over pixels, from histograms: constant memory on any number of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lesionctl.imaging.arrays import Mask, Probability

_BINS = 4096


class ProbabilityHistogram:
    """How often each probability was given to lesion and to background pixels.

    Probabilities are sorted into 4096 equal bins of [0, 1]; figures are exact for probabilities rounded so.
    """

    def __init__(self) -> None:
        self.lesion = np.zeros(_BINS, np.int64)
        self.background = np.zeros(_BINS, np.int64)

    def update(self, probability: Probability, truth: Mask) -> None:
        """Add a picture: float32 `[H, W]` in [0, 1] and bool `[H, W]`."""
        bins = (probability * np.float32(_BINS - 1) + np.float32(0.5)).astype(np.uint16)
        everything = np.bincount(bins.ravel(), minlength=_BINS)
        lesion = np.bincount(bins[truth], minlength=_BINS)
        self.lesion += lesion
        self.background += everything - lesion

    def merge(self, other: ProbabilityHistogram) -> None:
        """Add all that `other` has counted."""
        self.lesion += other.lesion
        self.background += other.background

    def roc_auc(self) -> float | None:
        """Area under the ROC curve of all pixels together, in [0, 1]; None where one of the classes has no pixel.

        The trapezoidal area, which counts ties as half: the probability that a random lesion pixel scores above a
        random background pixel (Hanley & McNeil 1982).
        """
        positives, negatives = int(self.lesion.sum()), int(self.background.sum())
        if not positives or not negatives:
            return None
        below = np.cumsum(self.background) - self.background
        wins = float(np.dot(self.lesion.astype(np.float64), below + self.background / 2))
        return wins / positives / negatives
