"""The figures of parts of the pictures, by what is known of them: where a side is worse than its mean tells."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.dataset.table import is_nothing
from lesionctl.scoring.bootstrap import Estimate, GroupBootstrap, estimate_means

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

NOT_STATED = "not stated"
"""The value of pictures of which a column says nothing."""

_FEWEST_PICTURES = 10
_MOST_NUMBERS = 8  # a column with more of them is cut
_QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Subgroup:
    """The pictures of which a column says the same.

    Attributes:
        column: What is told apart, such as "sex".
        value: What these are, such as "female", or "45 to 60" (both ends included) where numbers were cut.
        n: How many pictures.
        groups: In how many groups (lesions, patients) they are.
        figures: The mean over the pictures of each figure; without an interval where there are too few groups.
    """

    column: str
    value: str
    n: int
    groups: int
    figures: dict[str, Estimate]

    @property
    def small(self) -> bool:
        """Whether it has fewer than 10 pictures: too few to say much."""
        return self.n < _FEWEST_PICTURES


def subgroups(
    facts: Sequence[Mapping[str, str]],
    groups: Sequence[str],
    values: Mapping[str, Sequence[float]],
    resamples: int = 10_000,
    seed: int = 0,
) -> list[Subgroup]:
    """Divide the pictures by each column of what is known of them, and tell the figures of each part.

    A column of numbers that holds more than 8 different ones is cut at their quartiles (with linear interpolation; a
    number at a cut lies below it); equal quartiles are one cut. A part of it is named by the least and the greatest
    number in it. Cells that are missing or say nothing are the value "not stated". A column that says the same of all
    pictures is left out.

    Args:
        facts: For each picture, what is known by column.
        groups: For each picture, the name of its group; the bootstrap draws the groups of each part.
        values: By figure, a value for each picture; of the first, more is better.
        resamples: Of the bootstrap; 0 gives no intervals.
        seed: Of the bootstrap.

    Returns:
        The lowest mean of the first figure first; equal ones by column and value.
    """
    columns = dict.fromkeys(column for known in facts for column in known)
    found = []
    for column in columns:
        rows_by_value: dict[str, list[int]] = defaultdict(list)
        for row, value in enumerate(_classes([known.get(column, "") for known in facts])):
            rows_by_value[value].append(row)
        if len(rows_by_value) > 1:
            for value, rows in rows_by_value.items():
                bootstrap = GroupBootstrap([groups[row] for row in rows], resamples, seed)
                own = {name: [numbers[row] for row in rows] for name, numbers in values.items()}
                estimates = estimate_means(own, bootstrap)
                found.append(Subgroup(column, value, len(rows), bootstrap.groups, estimates))
    first = next(iter(values))
    return sorted(found, key=lambda part: (part.figures[first].value, part.column, part.value))


def _classes(cells: Sequence[str]) -> list[str]:
    """The value that each cell of a column stands for."""
    stated = [None if is_nothing(cell) else cell.strip() for cell in cells]
    numbers = [None if cell is None else _number(cell) for cell in stated]
    if any(number is None and cell is not None for number, cell in zip(numbers, stated, strict=True)):
        return [NOT_STATED if cell is None else cell for cell in stated]
    name = _name_numbers(np.array([number for number in numbers if number is not None]))
    return [NOT_STATED if number is None else name[number] for number in numbers]


def _number(cell: str) -> float | None:
    """The finite number that a cell holds; None where it holds something else."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _name_numbers(numbers: NDArray[np.float64]) -> dict[float, str]:
    """For each different number, its own name or that of the quarter that it lies in.

    Args:
        numbers: One for each picture, float64 `[n]`.
    """
    distinct = np.unique(numbers)
    if len(distinct) <= _MOST_NUMBERS:
        return {number: _write(number) for number in distinct.tolist()}
    cuts = np.unique(np.quantile(numbers, _QUARTILES))
    if cuts[0] == distinct[-1]:  # most are the greatest: no other cut would part them
        cuts = distinct[-2:-1]
    quarter = np.searchsorted(cuts, distinct)
    names = {}
    for number in np.unique(quarter).tolist():
        own = distinct[quarter == number]
        least, greatest = _write(own[0]), _write(own[-1])
        names.update(dict.fromkeys(own.tolist(), least if len(own) == 1 else f"{least} to {greatest}"))
    return names


def _write(number: float) -> str:
    return np.format_float_positional(number, trim="-")
