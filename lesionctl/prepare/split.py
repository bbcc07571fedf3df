"""The split: whole groups, dealt so that every split has its share of small and large lesions and of each diagnosis."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from lesionctl.dataset.samples import Split
from lesionctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T", bound="int | str")

_FRACTION_BANDS = 5


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
        """The share of each split."""
        return {Split.TRAIN: self.train, Split.VALIDATION: self.validation, Split.TEST: self.test}


@dataclass
class Group:
    """Samples that stay together.

    Attributes:
        name: Of the group.
        rows: Its samples.
        stratum: What kind of group it is; every split gets its share of each kind.
    """

    name: str
    rows: list[int]
    stratum: tuple[int, str]


def form_groups(names: Sequence[str], lesion_fractions: Sequence[float], diagnoses: Sequence[str]) -> list[Group]:
    """Gather samples by group, and groups by stratum: a fifth of the lesion fractions, and the diagnosis.

    Args:
        names: The group of each sample.
        lesion_fractions: Share of lesion of each sample, in [0, 1].
        diagnoses: The diagnosis of each sample, or nothing.

    Returns:
        The groups, by name. A group's fraction is the mean of its samples', its diagnosis the most frequent.
    """
    rows: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(names):
        rows[name].append(row)
    # An exact sum does not depend on the order of the samples.
    means = {name: math.fsum(lesion_fractions[row] for row in own) / len(own) for name, own in rows.items()}
    edges = np.quantile(list(means.values()), np.linspace(0, 1, _FRACTION_BANDS + 1)[1:-1])
    return [
        Group(
            name,
            rows[name],
            (
                int(np.searchsorted(edges, means[name])),
                min(Counter(diagnoses[row] for row in rows[name]).items(), key=lambda item: (-item[1], item[0]))[0],
            ),
        )
        for name in sorted(rows)
    ]


def deal(groups: Sequence[Group], shares: Mapping[T, float], seed: int) -> dict[str, T]:
    """Deal whole groups at random, each part its share of the samples of every stratum.

    Strata, and groups within each, come in random order, and a group goes where most samples are still wanted; what a
    part got too much or too little of one stratum is made up for in the next. The deal depends on the seed and on the
    names, sizes and strata of the groups, not on the order of the samples.

    Args:
        groups: What is dealt.
        shares: The share of each part, in any unit; all above 0.
        seed: Same seed, same deal.

    Returns:
        The part of each group. Every part gets at least one.

    Raises:
        UsageError: There are fewer groups than parts.
    """
    if len(groups) < len(shares):
        raise UsageError(
            f"{len(groups)} groups of pictures cannot fill {len(shares)} parts",
            hint="give more pictures, fewer --folds, or a split such as --split 100/0/0",
        )
    whole = sum(shares.values())
    strata: dict[tuple[int, str], list[Group]] = defaultdict(list)
    for group in sorted(groups, key=lambda group: group.name):
        strata[group.stratum].append(group)

    random = np.random.default_rng(seed)
    wanted = dict.fromkeys(shares, 0.0)
    dealt: dict[str, T] = {}
    kinds = sorted(strata)
    random.shuffle(kinds)  # in a fixed order, what is alone of its kind would go to the same part with every seed
    for kind in kinds:
        own = strata[kind]
        random.shuffle(own)
        size = sum(len(group.rows) for group in own)
        for part, share in shares.items():
            wanted[part] += size * share / whole
        for group in own:
            part = max(shares, key=lambda part: wanted[part])
            dealt[group.name] = part
            wanted[part] -= len(group.rows)

    for part in shares:  # few or large groups may leave a part empty: it gets the smallest of the fullest part
        if part not in dealt.values():
            fullest = Counter(dealt.values()).most_common(1)[0][0]
            sizes = {group.name: len(group.rows) for group in groups}
            dealt[min((name for name in dealt if dealt[name] == fullest), key=lambda name: sizes[name])] = part
    return dealt
