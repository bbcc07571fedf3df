"""Figures of probabilities, which need no threshold, from histograms: constant memory on any number of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lesionctl.imaging.arrays import Mask, Probability

Floats: TypeAlias = NDArray[np.float64]

_BINS = 4096
_LEVELS = np.arange(_BINS) / (_BINS - 1)  # the probability that each bin stands for
_PIXELS_AT_ONCE = 2**18  # what is made of them stays in the processor's cache
_CELLS = 249  # of a thinned curve: two points of each, and the end


@dataclass(frozen=True, eq=False)
class Reliability:
    """How often what was given a probability was lesion: a reliability diagram, in bins of equal width.

    Of M bins the m-th holds the probabilities of lesion in (m / M, (m + 1) / M], the first one 0 too.

    Attributes:
        mean_probability: float64 `[bins]` in [0, 1], of the pixels in each bin; nan where it is empty.
        observed: float64 `[bins]` in [0, 1], the share of them that is lesion; nan likewise.
        pixels: int64 `[bins]`, how many they are.
    """

    mean_probability: Floats
    observed: Floats
    pixels: NDArray[np.int64]


class ProbabilityHistogram:
    """How often each probability was given to lesion and to background pixels.

    Each probability is rounded to the nearest of 4096 levels, k / 4095; every figure is exact for probabilities rounded
    so, and all pixels of all pictures count alike. Against the probabilities themselves:

    - Rounding keeps the order. Each point of a curve is true; only pixels of one level are tied that were not. The area
      under the ROC curve is off by at most half the share of those pairs of a lesion and a background pixel that share
      a level. That is 1e-5 where probabilities are spread (average precision: 1e-4), and matters where a network calls
      many pixels wrongly with near certainty: with 65 % of the lesion and 0.4 % of the background above 1 - 1/8190, it
      is 0.002 (average precision: 0.008).
    - Each probability moves by at most 1/8190, up as often as down. The Brier score is off by less than 1/4095, the
      expected calibration error by 1/8190 and by pixels that cross the edge of a bin: in practice 1e-5 or less.

    Several threads do not update one histogram: each has its own, and they are merged.

    Attributes:
        lesion: int64 `[4096]`, lesion pixels at each level.
        background: int64 `[4096]`, background pixels at each level.
    """

    def __init__(self) -> None:
        self.lesion = np.zeros(_BINS, np.int64)
        self.background = np.zeros(_BINS, np.int64)

    def update(self, probability: Probability, truth: Mask) -> None:
        """Add a picture: float32 `[H, W]` in [0, 1] and bool `[H, W]`.

        It goes through the picture in strips: 3 MB beside the picture, however large, and other threads run meanwhile.
        """
        codes = np.zeros(2 * _BINS, np.int64)
        lesion = truth.view(np.uint8)
        rows = max(1, _PIXELS_AT_ONCE // probability.shape[1])
        for top in range(0, len(probability), rows):
            strip = slice(top, top + rows)
            # A pixel's code is its level, and 4096 more on the lesion: one count instead of one for each class.
            code = (probability[strip] * np.float32(_BINS - 1) + np.float32(0.5)).astype(np.uint16)
            code += lesion[strip] * np.uint16(_BINS)
            # Counts come as float32, which is exact up to 2**24.
            codes += cv2.calcHist([code], [0], None, [2 * _BINS], [0, 2 * _BINS]).ravel().astype(np.int64)
        self.background += codes[:_BINS]
        self.lesion += codes[_BINS:]

    def update_with_nothing(self, truth: Mask) -> None:
        """Add a picture of which there is no answer, as one that is lesion nowhere: a probability of 0 for each pixel.

        To leave it out would make a model that fails on hard pictures look better than one that does not.

        Args:
            truth: bool `[H, W]`.
        """
        lesion = int(np.count_nonzero(truth))
        self.lesion[0] += lesion
        self.background[0] += truth.size - lesion

    def merge(self, other: ProbabilityHistogram) -> None:
        """Add all that `other` has counted."""
        self.lesion += other.lesion
        self.background += other.background

    @property
    def pixels(self) -> int:
        """How many pixels were counted."""
        return int(self.lesion.sum() + self.background.sum())

    def roc_curve(self) -> tuple[Floats, Floats] | None:
        """The receiver operating characteristic of all pixels together; None where one of the classes has no pixel.

        Returns:
            The false and the true positive rate at falling thresholds, float64 `[n]` in [0, 1] each, from (0, 0) to
            (1, 1); n is at most 500: see `_thin`.
        """
        if not self._has_both():
            return None
        fp, tp = self._false_and_true_positives()
        fp, tp = np.concatenate([[0], fp]), np.concatenate([[0], tp])
        return _thin(fp / fp[-1], tp / tp[-1])

    def precision_recall_curve(self) -> tuple[Floats, Floats] | None:
        """Precision by recall of all pixels together; None where one of the classes has no pixel.

        Between two points precision is that of the later one (a step, matplotlib's "steps-pre"): a straight line would
        promise what no threshold gives (Davis & Goadrich 2006). The area under the steps is the average precision.

        Returns:
            Recall and precision at falling thresholds, float64 `[n]` in [0, 1] each, n at most 500: see `_thin`. Recall
            goes from 0 to 1; at 0, where nothing is found, precision is that of the highest threshold that finds some.
        """
        if not self._has_both():
            return None
        fp, tp = self._false_and_true_positives()
        precision, recall = tp / (tp + fp), tp / tp[-1]
        return _thin(np.concatenate([[0.0], recall]), np.concatenate([precision[:1], precision]))

    def roc_auc(self) -> float | None:
        """Area under the ROC curve of all pixels together, in [0, 1]; None where one of the classes has no pixel.

        The trapezoidal area, which counts ties as half: the probability that a random lesion pixel scores above a
        random background pixel (Hanley & McNeil 1982).
        """
        if not self._has_both():
            return None
        below = np.cumsum(self.background) - self.background
        wins = float(np.dot(self.lesion.astype(np.float64), below + self.background / 2))
        return wins / int(self.lesion.sum()) / int(self.background.sum())

    def average_precision(self) -> float | None:
        """Area under the precision-recall curve, in [0, 1]; None where one of the classes has no pixel.

        The area under the steps: the sum over thresholds of precision times the recall that is gained there, which is
        scikit-learn's `average_precision_score`. Another area, under straight lines, is larger and too hopeful.
        """
        if not self._has_both():
            return None
        fp, tp = self._false_and_true_positives()
        return float(np.dot(np.diff(tp, prepend=0), tp / (tp + fp)) / tp[-1])

    def brier(self) -> float | None:
        """Mean over pixels of (probability - truth)², in [0, 1], 0 is best (Brier 1950); None without pixels."""
        if not self.pixels:
            return None
        squares = np.dot(self.lesion, (1 - _LEVELS) ** 2) + np.dot(self.background, _LEVELS**2)
        return float(squares / self.pixels)

    def reliability(self, bins: int = 15) -> Reliability | None:
        """The reliability diagram of the probability of lesion; None without pixels.

        Args:
            bins: How many, of equal width.
        """
        if not self.pixels:
            return None
        # In whole numbers, because levels lie on the edges of bins.
        place = np.maximum(np.arange(_BINS) * bins - 1, 0) // (_BINS - 1)
        counts = self.lesion + self.background
        pixels = np.zeros(bins, np.int64)
        np.add.at(pixels, place, counts)
        total = np.where(pixels > 0, pixels, np.nan)
        return Reliability(
            mean_probability=np.bincount(place, counts * _LEVELS, bins) / total,
            observed=np.bincount(place, self.lesion, bins) / total,
            pixels=pixels,
        )

    def expected_calibration_error(self, bins: int = 15) -> float | None:
        """How far probabilities are from what is observed, in [0, 1], 0 is best; None without pixels.

        The mean over the bins of `reliability`, weighted by their pixels, of the distance of mean probability and
        observed share (Naeini et al. 2015). The probability is that of lesion, as there; it is not the confidence in
        the likelier of the two classes, which others bin (Guo et al. 2017) and which gives another number.

        Args:
            bins: How many, of equal width.
        """
        found = self.reliability(bins)
        if found is None:
            return None
        return float(np.nansum(found.pixels * np.abs(found.observed - found.mean_probability)) / self.pixels)

    def figures(self) -> dict[str, float | None]:
        """Every figure by its name; None where it is not defined."""
        return {
            "roc_auc": self.roc_auc(),
            "average_precision": self.average_precision(),
            "brier": self.brier(),
            "expected_calibration_error": self.expected_calibration_error(),
        }

    def _has_both(self) -> bool:
        return bool(self.lesion.any() and self.background.any())

    def _false_and_true_positives(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pixels found wrongly and rightly at each level that some pixel has, from the highest to the lowest."""
        levels = np.flatnonzero(self.lesion + self.background)[::-1]
        return np.cumsum(self.background[levels]), np.cumsum(self.lesion[levels])


def _thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """At most 500 points of a curve, where it changes; its ends among them.

    The way along the curve, across and up, is cut into equal lengths, and the first and the last point on each are
    kept: steep parts and long steps keep their shape, and the area stays within 0.001.
    """
    if len(x) <= 2 * _CELLS + 2:
        return x, y
    way = np.cumsum(np.abs(np.diff(x, prepend=x[0])) + np.abs(np.diff(y, prepend=y[0])))
    another = np.diff(np.floor(way / way[-1] * _CELLS)) > 0
    kept = np.concatenate([[True], another]) | np.concatenate([another, [True]])
    return x[kept], y[kept]
