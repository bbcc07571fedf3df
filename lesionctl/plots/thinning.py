"""Fewer points for the same line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MOST_POINTS = 300


def thin(x: ArrayLike, y: ArrayLike, most: int = MOST_POINTS) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Keep the points of a line at even distances along it, the ends among them.

    Args:
        x: In the axis' unit [n], finite.
        y: The same [n].
        most: How many points are kept at most.

    Returns:
        x and y [at most `most`], float64.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(x) <= most:
        return x, y
    steps = np.hypot(*(np.diff(values) / (np.ptp(values) or 1) for values in (x, y)))
    way = np.concatenate([[0], np.cumsum(steps)])
    kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], most)).clip(max=len(x) - 1))
    kept[-1] = len(x) - 1
    return x[kept], y[kept]
