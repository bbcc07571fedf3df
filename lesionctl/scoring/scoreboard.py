"""The accumulator: counts of many pictures in, named figures out."""

from __future__ import annotations

import numpy as np

from lesionctl.scoring.counts import Counts
from lesionctl.scoring.overlap import FIGURES, NOT_POOLED
from lesionctl.scoring.probability import ProbabilityHistogram


class Scoreboard:
    """Scores a set of pictures: the mean over pictures, and all pixels pooled, which differ by points.

    Attributes:
        counts: Of each picture.
        histogram: The probabilities of all pixels together; empty where none were added.
    """

    def __init__(self) -> None:
        self.counts: list[Counts] = []
        self.histogram = ProbabilityHistogram()

    def __len__(self) -> int:
        """Pictures counted so far."""
        return len(self.counts)

    def add(self, counts: Counts, histogram: ProbabilityHistogram | None = None) -> None:
        """Add a picture.

        Args:
            counts: Its pixels by truth and prediction.
            histogram: Its probabilities, for figures that need no threshold.
        """
        self.counts.append(counts)
        if histogram is not None:
            self.histogram.merge(histogram)

    def per_image(self) -> dict[str, float]:
        """Mean over pictures of each overlap figure; empty where there are no pictures."""
        return {name: float(np.mean([f(c) for c in self.counts])) for name, f in FIGURES.items() if self.counts}

    def pooled(self) -> dict[str, float]:
        """Each overlap figure of all pixels together, as if the set were one picture."""
        confusion = self.confusion()
        return {name: f(confusion) for name, f in FIGURES.items() if self.counts and name not in NOT_POOLED}

    def confusion(self) -> Counts:
        """The pooled confusion matrix, in pixels."""
        return sum(self.counts, Counts())

    def roc_auc(self) -> float | None:
        """Area under the ROC curve of all pixels together; None where no probabilities were added."""
        return self.histogram.roc_auc()
