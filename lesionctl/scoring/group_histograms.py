"""The uncertainty of figures of probabilities: the bootstrap over groups, from what is kept of each group's pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lesionctl.scoring.bootstrap import Estimate, GroupBootstrap, interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.scoring.probability import ProbabilityHistogram

Floats: TypeAlias = NDArray[np.float64]

_LEVELS = 256
_MOST_BYTES = 64_000_000  # of all groups
_DRAWS_AT_ONCE = 1000
_CALIBRATION_BINS = 15

_FINE = 4096  # levels of a `ProbabilityHistogram`, k / 4095
_CENTRES = np.arange(_FINE).reshape(_LEVELS, -1).mean(1) / (_FINE - 1)
_IN_BIN = (_CENTRES[:, None] * _CALIBRATION_BINS).astype(int) == np.arange(_CALIBRATION_BINS)


class GroupHistograms:
    """How often each probability was given to lesion and background pixels of each group of pictures.

    Probabilities are rounded to 256 levels here, so that a group takes 4 kB.
    """

    def __init__(self) -> None:
        self._counts: dict[str, NDArray[np.int64]] = {}

    @staticmethod
    def fit(groups: int) -> bool:
        """Whether so many groups can be kept: 15,625 of them take 64 MB."""
        return groups * 2 * _LEVELS * 8 <= _MOST_BYTES

    def add(self, group: str, histogram: ProbabilityHistogram) -> None:
        """Add a picture of a group."""
        both = np.concatenate([histogram.lesion, histogram.background])
        counts = self._counts.setdefault(group, np.zeros(2 * _LEVELS, np.int64))
        counts += both.reshape(2 * _LEVELS, -1).sum(1)

    def counts(self, groups: Sequence[str]) -> Floats:
        """Lesion pixels at each level, then background pixels, of each of these groups: float64 `[groups, 512]`."""
        return np.array([self._counts[group] for group in groups], np.float64)


def estimate_probabilities(
    histogram: ProbabilityHistogram, by_group: GroupHistograms | None, bootstrap: GroupBootstrap
) -> dict[str, Estimate]:
    """The figures of probabilities that are defined, with 95 % intervals.

    A figure is that of the histogram of all pixels. Its interval is drawn from 256 levels, and moved by what the
    coarser rounding takes from the figure.

    Args:
        histogram: Of all pixels together.
        by_group: Of each group of the bootstrap; None: there are no intervals.
        bootstrap: Of the pictures' groups.
    """
    values = {name: value for name, value in histogram.figures().items() if value is not None}
    if by_group is None or not values or not bootstrap.has_intervals:
        return {name: Estimate(value, None, None) for name, value in values.items()}
    counts = by_group.counts(bootstrap.names)
    draws = [
        _figures(part[start : start + _DRAWS_AT_ONCE] @ counts)
        for part in bootstrap.drawn()
        for start in range(0, len(part), _DRAWS_AT_ONCE)
    ]
    coarse = dict(zip(histogram.figures(), _figures(counts.sum(0, keepdims=True))[0], strict=True))
    columns = dict(zip(histogram.figures(), np.concatenate(draws).T, strict=True))
    estimates = {}
    for name, value in values.items():
        defined = columns[name][~np.isnan(columns[name])]  # a resample may hold pixels of one class alone
        low, high = np.clip(interval(defined[:, None])[:, 0] + (value - coarse[name]), 0, 1)
        estimates[name] = Estimate(value, float(low), float(high))
    return estimates


def _figures(counts: Floats) -> Floats:
    """What `ProbabilityHistogram.figures` gives, of many histograms at once.

    Args:
        counts: float64 `[n, 512]`, see `GroupHistograms.counts`.

    Returns:
        float64 `[n, 4]`, in the order of those figures; nan where a figure is not defined.
    """
    lesion, background = counts[:, :_LEVELS], counts[:, _LEVELS:]
    pixels, positives = counts.sum(1), lesion.sum(1)
    both = lesion + background
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.cumsum(background, axis=1) - background / 2
        roc_auc = (lesion * below).sum(1) / positives / (pixels - positives)
        found, called = (np.cumsum(part[:, ::-1], axis=1) for part in (lesion, both))
        precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
        gained = (lesion[:, ::-1] * precision).sum(1) / positives
        average_precision = np.where(positives < pixels, gained, np.nan)
        brier = (lesion @ (1 - _CENTRES) ** 2 + background @ _CENTRES**2) / pixels
        apart = np.abs((lesion - both * _CENTRES) @ _IN_BIN).sum(1) / pixels
    return np.column_stack([roc_auc, average_precision, brier, apart])
