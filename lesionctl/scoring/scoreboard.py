"""The accumulator: counts and probabilities of many pictures in, figures out."""

from __future__ import annotations

import numpy as np

from lesionctl.scoring.counts import Counts
from lesionctl.scoring.overlap import FIGURES
from lesionctl.scoring.probability import ProbabilityHistogram


class Scoreboard:
    """Scores a set of pictures.

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

    def confusion(self) -> Counts:
        """The pooled confusion matrix, in pixels; `pooled_figures` says what it amounts to."""
        return sum(self.counts, Counts())
