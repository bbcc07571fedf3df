"""The mean of several answers to the same question, and how far they lie apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def mean_and_spread(answers: Iterable[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of arrays, in memory that does not grow with their number (Welford 1962).

    Args:
        answers: At least one, each float32 of the same shape.

    Returns:
        Both float32 of that shape. Of answers that are equal to the bit, the mean is, and the deviation is 0.
    """
    mean = squares = np.zeros((), np.float32)
    for number, answer in enumerate(answers, start=1):
        step = answer - mean
        mean = mean + step / np.float32(number)
        squares = squares + step * (answer - mean)
    return mean, np.sqrt(squares / np.float32(number))
