"""The uncertainty of means: the bootstrap over groups of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Floats: TypeAlias = NDArray[np.float64]

FEWEST_GROUPS = 10
"""Of fewer there is no interval: a 95 % percentile interval of so few promises more than it holds.

Of groups whose means are spread as Dice is, most of them near 1, it holds the true mean in 76 % of cases with 4 groups,
in 88 % with 10 and in 94 % with 40.
"""

_COUNTS_AT_ONCE = 2**20  # of groups in resamples: 8 MB
_COUNTS_KEPT = 64_000_000  # 128 MB at most
_DRAWS_AT_ONCE = 2**13  # few small arrays instead of many tiny ones, which still fit the processor's cache


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval.

    Attributes:
        value: The figure.
        low: Lower end; None where there is no interval: with fewer than `FEWEST_GROUPS` groups, or without resamples.
        high: Upper end; None likewise.
    """

    value: float
    low: float | None
    high: float | None


class GroupBootstrap:
    """Sets of pictures drawn again from one set, group by group.

    Pictures of one lesion or patient resemble one another, and as if they were independent the intervals would come out
    too narrow. So as many groups as there are are drawn with replacement, and all pictures of a group come along, as
    often as it was drawn: the cluster bootstrap (Davison & Hinkley 1997, section 3.8).

    The draws depend on `seed` and on how many groups there are, and are the same at every call: figures, and sides on
    the same pictures, are paired.

    Args:
        groups: The group of each of n pictures; at least one.
        resamples: How many sets are drawn; may be 0.
        seed: Of the draws.

    Attributes:
        names: The groups, sorted.
        groups: How many groups there are.
        resamples: How many sets are drawn.
    """

    def __init__(self, groups: Sequence[str], resamples: int = 10_000, seed: int = 0) -> None:
        names, self._group = np.unique(np.asarray(groups), return_inverse=True)
        self.names: list[str] = names.tolist()
        self.groups = len(names)
        self.resamples = resamples
        self._seed = seed
        self._kept: NDArray[np.unsignedinteger] | None = None

    @property
    def has_intervals(self) -> bool:
        """Whether there are resamples, and groups enough for an interval to be told."""
        return self.resamples > 0 and self.groups >= FEWEST_GROUPS

    def group_sums(self, values: ArrayLike) -> Floats:
        """The sum of the values of each group's pictures.

        Args:
            values: `[n, k]`: k finite values of each picture, in the order of `groups`.

        Returns:
            float64 `[groups, k]`.

        Raises:
            ValueError: There are not as many rows as pictures.
        """
        columns = np.asarray(values, np.float64).T
        return np.stack([np.bincount(self._group, column, self.groups) for column in columns], axis=1)

    def drawn(self) -> Iterator[Floats]:
        """How often each group was drawn, in the order of the groups' names, a part of the resamples at a time.

        Drawn are they once where all of them are 64 million counts or fewer, which are kept, and anew each time beyond.

        Yields:
            float64 `[some resamples, groups]`, written over by the next.
        """
        rows = max(1, _COUNTS_AT_ONCE // self.groups)
        buffer = np.empty((min(rows, self.resamples), self.groups))
        random = np.random.default_rng(self._seed)
        kept = self._kept
        fresh = None
        if kept is None and self.resamples * self.groups <= _COUNTS_KEPT:
            fresh = np.empty((self.resamples, self.groups), np.min_scalar_type(self.groups))
        for start in range(0, self.resamples, rows):
            part = buffer[: self.resamples - start]
            if kept is not None:
                part[:] = kept[start : start + rows]
            else:
                _count_draws(part, random)
            if fresh is not None:
                fresh[start : start + rows] = part
            yield part
        if fresh is not None:
            self._kept = fresh

    def sums(self, values: ArrayLike) -> Floats:
        """The sum of the values of the drawn pictures.

        Args:
            values: `[n, k]`: k finite values of each picture, in the order of `groups`.

        Returns:
            float64 `[resamples, k]`.

        Raises:
            ValueError: There are not as many rows as pictures.
        """
        of_group = self.group_sums(values)
        sums = np.empty((self.resamples, of_group.shape[1]))
        start = 0
        for part in self.drawn():
            np.matmul(part, of_group, out=sums[start : start + len(part)])
            start += len(part)
        return sums

    def means(self, values: ArrayLike) -> Floats:
        """The mean over the drawn pictures: their sum over their number, which differs where groups differ in size.

        Args:
            values: `[n, k]`, see `sums`.

        Returns:
            float64 `[resamples, k]`.

        Raises:
            ValueError: There are not as many rows as pictures.
        """
        sums = self.sums(np.column_stack([np.asarray(values, np.float64), np.ones(len(self._group))]))
        return sums[:, :-1] / sums[:, -1:]


def _count_draws(counts: Floats, random: np.random.Generator) -> None:
    """Draw as many groups as there are, for each row anew, and count them: five times as quick as `multinomial`.

    Args:
        counts: `[rows, groups]`, written to.
        random: Gives the same draws however many rows are asked for at once.
    """
    rows, groups = counts.shape
    at_once = max(1, _DRAWS_AT_ONCE // groups)
    for start in range(0, rows, at_once):
        block = counts[start : start + at_once]
        drawn = random.integers(0, groups, block.shape)
        drawn += groups * np.arange(len(block))[:, None]
        block[:] = np.bincount(drawn.ravel(), minlength=block.size).reshape(block.shape)


def interval(draws: Floats, confidence: float = 0.95) -> Floats:
    """The percentile interval of each column (Efron & Tibshirani 1993, chapter 13).

    Args:
        draws: float64 `[resamples, k]`, at least one resample.
        confidence: In (0, 1).

    Returns:
        float64 `[2, k]`: the lower and the upper ends.
    """
    tail = (1 - confidence) / 2
    return np.quantile(draws, [tail, 1 - tail], axis=0)


def estimate_means(values: Mapping[str, Sequence[float]], bootstrap: GroupBootstrap) -> dict[str, Estimate]:
    """The mean over the pictures of each figure, with its 95 % interval where there is one; all from the same draws.

    Args:
        values: By figure, a finite value of each picture.
        bootstrap: Of these pictures' groups.

    Raises:
        ValueError: A figure has not as many values as there are pictures.
    """
    means = {name: float(np.mean(column)) for name, column in values.items()}
    if not values or not bootstrap.has_intervals:
        return {name: Estimate(mean, None, None) for name, mean in means.items()}
    lows, highs = interval(bootstrap.means(np.column_stack(list(values.values())))).tolist()
    return {name: Estimate(mean, low, high) for (name, mean), low, high in zip(means.items(), lows, highs, strict=True)}
