"""Which pictures a report shows: the best, those in the middle, the worst, and some that chance drew."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

EACH = 4
"""Pictures of each kind."""


class Group(NamedTuple):
    """Pictures that belong together.

    Attributes:
        title: What they are.
        rows: Which of the pictures, in the order in which they are shown.
    """

    title: str
    rows: tuple[int, ...]


def choose_pictures(dices: Sequence[float], seed: int) -> list[Group]:
    """Choose the pictures that are shown, by the first side's Dice; of equals the earlier is taken for the better.

    Args:
        dices: Of each picture.
        seed: Of the random choice, which is made from all pictures.

    Returns:
        The best, those around the median, the worst and random ones; all in one group where they are no more than what
        the groups would show.
    """
    order = sorted(range(len(dices)), key=lambda row: (-dices[row], row))
    if len(order) <= 4 * EACH:
        return [Group("All pictures, the best first", tuple(order))]
    middle = (len(order) - EACH) // 2
    drawn = random.Random(seed).sample(range(len(order)), EACH)
    return [
        Group("The best", tuple(order[:EACH])),
        Group("Around the median", tuple(order[middle : middle + EACH])),
        Group("The worst", tuple(reversed(order[-EACH:]))),
        Group("Drawn at random", tuple(drawn)),
    ]
