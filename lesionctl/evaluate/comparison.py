"""Two sides on the same pictures: by how much one is ahead, and whether that can be told from chance."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.scoring.bootstrap import Estimate, GroupBootstrap, estimate_means
from lesionctl.scoring.figures import Better, figure
from lesionctl.scoring.significance import holm, wilcoxon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.evaluate.evaluation import Evaluation


SIGNIFICANT = 0.05
"""A p-value below this is taken for evidence of a difference, as a 95 % interval without zero is."""


class Verdict(StrEnum):
    """What the interval of a difference says of the first side."""

    BETTER = "better"
    TIE = "a tie"
    """The interval holds zero."""
    WORSE = "worse"


@dataclass(frozen=True)
class Difference:
    """One figure of two sides.

    Attributes:
        figure: Its name.
        estimate: The mean over pictures of the first side's less the second's, with the paired bootstrap's interval.
        p_value: Of Wilcoxon's signed-rank test on the groups' mean differences, two-sided.
        p_holm: The same after Holm's correction for all differences of all pairs of sides together.
        wins: Pictures on which the first is better.
        ties: On which both are equal.
        losses: On which the second is better.
        verdict: What the interval says; None without an interval.
    """

    figure: str
    estimate: Estimate
    p_value: float
    p_holm: float
    wins: int
    ties: int
    losses: int
    verdict: Verdict | None

    @property
    def contested(self) -> bool:
        """Whether the interval excludes zero, and yet the p-value after Holm's correction is no evidence."""
        return self.verdict in (Verdict.BETTER, Verdict.WORSE) and self.p_holm >= SIGNIFICANT


@dataclass(frozen=True)
class Comparison:
    """Two sides on the same pictures.

    Attributes:
        one: Name of the first.
        other: Name of the second.
        differences: One for each figure.
    """

    one: str
    other: str
    differences: list[Difference]


def compare_all(evaluations: Sequence[Evaluation], bootstrap: GroupBootstrap) -> list[Comparison]:
    """Compare every two evaluations, the earlier with the later, picture by picture.

    Args:
        evaluations: Of the same pictures in the same order.
        bootstrap: Of these pictures' groups; the same draws serve both sides, which makes the differences paired.

    Raises:
        ValueError: They are not of the same pictures in the same order.
    """
    comparisons = [_compare(one, other, bootstrap) for one, other in combinations(evaluations, 2)]
    corrected = iter(holm([difference.p_value for found in comparisons for difference in found.differences]))
    return [
        replace(found, differences=[replace(difference, p_holm=next(corrected)) for difference in found.differences])
        for found in comparisons
    ]


def _compare(one: Evaluation, other: Evaluation, bootstrap: GroupBootstrap) -> Comparison:
    if [(image.source, image.id) for image in one.images] != [(image.source, image.id) for image in other.images]:
        raise ValueError("only evaluations of the same pictures can be compared")
    ours, theirs = one.values(), other.values()
    ahead = {name: np.subtract(ours[name], theirs[name]) for name in ours}
    estimates = estimate_means({name: values.tolist() for name, values in ahead.items()}, bootstrap)
    groups = [image.group for image in one.images]
    differences = []
    for name, values in ahead.items():
        gains = values if figure(name).better is Better.HIGHER else -values
        p_value = wilcoxon(_group_means(values.tolist(), groups))
        wins, losses = int((gains > 0).sum()), int((gains < 0).sum())
        verdict = _verdict(estimates[name], figure(name).better)
        differences.append(
            Difference(name, estimates[name], p_value, p_value, wins, len(gains) - wins - losses, losses, verdict)
        )
    return Comparison(one.prediction, other.prediction, differences)


def _verdict(estimate: Estimate, better: Better) -> Verdict | None:
    if estimate.low is None or estimate.high is None:
        return None
    if estimate.low <= 0 <= estimate.high:
        return Verdict.TIE
    return Verdict.BETTER if (estimate.low > 0) == (better is Better.HIGHER) else Verdict.WORSE


def _group_means(values: Sequence[float], groups: Sequence[str]) -> list[float]:
    """One value for each group: pictures of one lesion are no independent evidence."""
    members: dict[str, list[float]] = defaultdict(list)
    for group, value in zip(groups, values, strict=True):
        members[group].append(value)
    return [float(np.mean(found)) for found in members.values()]
