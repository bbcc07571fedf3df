"""Counts of pixels: what every overlap figure is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from lesionctl.imaging.arrays import Mask


@dataclass(frozen=True)
class Counts:
    """Pixels of one picture, or of many together, by truth and prediction.

    Attributes:
        tp: Lesion in both.
        fp: Lesion in the prediction alone.
        fn: Lesion in the truth alone.
        tn: Background in both.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Counts of both together."""
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)


def count(prediction: Mask, truth: Mask) -> Counts:
    """Count the pixels of one picture.

    Args:
        prediction: bool `[H, W]`.
        truth: bool `[H, W]`.

    Raises:
        ValueError: The shapes differ.
    """
    if prediction.shape != truth.shape:
        raise ValueError(f"prediction {prediction.shape} and truth {truth.shape} differ in shape")
    predicted, true = int(np.count_nonzero(prediction)), int(np.count_nonzero(truth))
    # The sum of differences is the number of wrong pixels; unlike a mask of those that are right, it needs no memory.
    wrong = int(cv2.norm(prediction.view(np.uint8), truth.view(np.uint8), cv2.NORM_L1))
    both = (predicted + true - wrong) // 2
    return Counts(tp=both, fp=predicted - both, fn=true - both, tn=truth.size - predicted - true + both)
