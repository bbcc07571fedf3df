"""Groups that never stand on two sides, and the split that keeps them whole."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lesionctl.dataset.samples import Split
from lesionctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet


@dataclass(frozen=True)
class Shares:
    """How many samples of a hundred go to each split.

    Raises:
        UsageError: A share is negative, there is nothing to train on, or they do not add up to 100.
    """

    train: int = 70
    validation: int = 10
    test: int = 20

    def __post_init__(self) -> None:
        """Check the values."""
        if min(self.train, self.validation, self.test) < 0 or not self.train or sum(self.of_splits().values()) != 100:
            raise UsageError(
                f"the split {self.train}/{self.validation}/{self.test} is not three shares of 100",
                hint="write train/val/test per cent, such as --split 70/10/20",
            )

    @classmethod
    def parse(cls, text: str) -> Shares:
        """Read `70/10/20`.

        Raises:
            UsageError: The text is something else.
        """
        parts = text.split("/")
        if len(parts) != 3 or not all(part.isdigit() for part in parts):
            raise UsageError(f"the split '{text}' is not of the form 70/10/20")
        return cls(*map(int, parts))

    def of_splits(self) -> dict[Split, int]:
        """The share of each split, in the order in which they are filled."""
        return {Split.TEST: self.test, Split.VALIDATION: self.validation, Split.TRAIN: self.train}


def group_by_shared_keys(keys: Sequence[AbstractSet[str]]) -> list[str]:
    """Put samples that share any key, directly or through others, into one group.

    Args:
        keys: For each sample, at least one key.

    Returns:
        For each sample, the name of its group: the smallest key of its members.
    """
    numbers: dict[str, int] = {}
    rows, columns = [], []
    for sample, own in enumerate(keys):
        for key in own:
            rows.append(sample)
            columns.append(len(keys) + numbers.setdefault(key, len(numbers)))
    nodes = len(keys) + len(numbers)
    edges = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(nodes, nodes))
    labels = connected_components(edges, directed=False)[1][: len(keys)]
    names: dict[int, str] = {}
    for label, own in zip(labels, keys, strict=True):
        names[label] = min(names.get(label, min(own)), min(own))
    return [names[label] for label in labels]


def split_groups(groups: Sequence[str], shares: Shares, seed: int) -> list[Split]:
    """Draw whole groups at random into splits until each has its share of the samples.

    The draw depends on the seed and on the names of the groups, not on the order of the samples.

    Args:
        groups: The group of each sample.
        shares: How much each split takes; a split with a share gets at least one group, if there are enough.
        seed: Same seed, same split.

    Returns:
        The split of each sample.

    Raises:
        UsageError: There are fewer groups than splits to fill.
    """
    members: dict[str, int] = defaultdict(int)
    for group in groups:
        members[group] += 1
    wanted = {split: share for split, share in shares.of_splits().items() if share}
    if len(members) < len(wanted):
        raise UsageError(
            f"{len(members)} groups of pictures cannot fill {len(wanted)} splits",
            hint="give more pictures, or a split such as --split 100/0/0",
        )
    order = sorted(members)
    np.random.default_rng(seed).shuffle(order)

    chosen: dict[str, Split] = {}
    waiting = list(wanted)
    split, filled = waiting.pop(0), 0
    for position, group in enumerate(order):
        full = filled >= len(groups) * wanted[split] / 100
        must_leave_the_rest = len(order) - position <= len(waiting)
        if filled and waiting and (full or must_leave_the_rest):
            split, filled = waiting.pop(0), 0
        chosen[group] = split
        filled += members[group]
    return [chosen[group] for group in groups]
