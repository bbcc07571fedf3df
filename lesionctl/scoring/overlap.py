"""Overlap figures from counts, with the conventions of ISIC's own scorer.

Where a denominator is zero the figure has nothing to measure and counts as right: both masks empty gives Jaccard and
Dice 1; no lesion in the truth gives sensitivity 1; no background gives specificity 1. Its segmentation score has no
more figures than these, accuracy and thresholded Jaccard; the others follow suit: nothing predicted gives precision 1
if there was nothing to find, else 0; balanced accuracy is the mean of sensitivity and specificity as above; both masks
empty gives volumetric similarity 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lesionctl.scoring.counts import Counts

THRESHOLD_JACCARD = 0.65
"""ISIC 2018 counts a picture whose Jaccard index is below this as 0: so wrong that an expert would draw it again."""


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else 1.0


def jaccard(c: Counts) -> float:
    """Intersection over union, in [0, 1]; 1 where both masks are empty."""
    return _ratio(c.tp, c.tp + c.fp + c.fn)


def dice(c: Counts) -> float:
    """Dice coefficient (F1 of pixels), in [0, 1]; 1 where both masks are empty."""
    return _ratio(2 * c.tp, 2 * c.tp + c.fp + c.fn)


def thresholded_jaccard(c: Counts) -> float:
    """Jaccard where it is at least 0.65, else 0 (ISIC 2018 Task 1, arXiv:1902.03368)."""
    value = jaccard(c)
    return value if value >= THRESHOLD_JACCARD else 0.0


def sensitivity(c: Counts) -> float:
    """Share of the lesion that was found (recall), in [0, 1]; 1 where there is no lesion."""
    return _ratio(c.tp, c.tp + c.fn)


def specificity(c: Counts) -> float:
    """Share of the background that was left alone, in [0, 1]; 1 where there is no background."""
    return _ratio(c.tn, c.tn + c.fp)


def precision(c: Counts) -> float:
    """Share of the prediction that is lesion, in [0, 1]; of an empty prediction 1 if there is no lesion, else 0."""
    return _ratio(c.tp, c.tp + c.fp) if c.tp + c.fp or not c.fn else 0.0


def accuracy(c: Counts) -> float:
    """Share of pixels that are right, in [0, 1]."""
    return _ratio(c.tp + c.tn, c.tp + c.fp + c.fn + c.tn)


def balanced_accuracy(c: Counts) -> float:
    """The mean of sensitivity and specificity, in [0, 1]: what accuracy is where both classes weigh the same.

    It is the area under the ROC curve of a mask, its one point joined to the corners (Taha & Hanbury 2015,
    doi:10.1186/s12880-015-0068-x).
    """
    return (sensitivity(c) + specificity(c)) / 2


def volumetric_similarity(c: Counts) -> float:
    """How alike the sizes of both lesions are, wherever they lie, in [0, 1]; 1 where both masks are empty.

    `1 - |FN - FP| / (2 TP + FP + FN)`, of areas here (Taha & Hanbury 2015, doi:10.1186/s12880-015-0068-x).
    """
    sizes = 2 * c.tp + c.fp + c.fn
    return _ratio(sizes - abs(c.fn - c.fp), sizes)


FIGURES: dict[str, Callable[[Counts], float]] = {
    "dice": dice,
    "jaccard": jaccard,
    "thresholded_jaccard": thresholded_jaccard,
    "precision": precision,
    "recall": sensitivity,
    "specificity": specificity,
    "pixel_accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "volumetric_similarity": volumetric_similarity,
}
"""Every overlap figure by the name it has in tables, JSON and CSV; recall is sensitivity, and Dice is F1."""

NOT_POOLED = frozenset({"thresholded_jaccard", "volumetric_similarity"})
"""Figures that are about single pictures: pooled, one picture's excess would make up for what another one lacks."""


def pooled_figures(confusion: Counts) -> dict[str, float]:
    """Each overlap figure of all pixels together, as if the set were one picture; but for those in `NOT_POOLED`."""
    return {name: overlap(confusion) for name, overlap in FIGURES.items() if name not in NOT_POOLED}
