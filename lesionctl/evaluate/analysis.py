"""What follows from the scores: means with their uncertainty, comparisons, subgroups. People are shown nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.evaluate.comparison import Comparison, compare_all
from lesionctl.evaluate.subgroups import Subgroup, subgroups
from lesionctl.progress import Progress, Silent, track
from lesionctl.scoring.bootstrap import Estimate, GroupBootstrap, estimate_means, interval
from lesionctl.scoring.counts import Counts
from lesionctl.scoring.group_histograms import estimate_probabilities
from lesionctl.scoring.overlap import pooled_figures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionctl.evaluate.cases import Cases
    from lesionctl.evaluate.evaluation import Evaluation

SUBGROUP_FIGURES = ("dice", "jaccard", "thresholded_jaccard")
"""What is told of each subgroup; the worst by the first comes first."""


@dataclass(frozen=True)
class Quartiles:
    """How a figure is spread over the pictures."""

    lower: float
    median: float
    upper: float


@dataclass(frozen=True)
class Summary:
    """The figures of one side.

    Attributes:
        evaluation: The scores that they are taken from.
        per_image: The mean over pictures of every figure of a picture, with 95 % intervals.
        quartiles: Of the same figures.
        pooled: The overlap figures of all pixels together, with 95 % intervals.
        probabilities: The figures that need no threshold, of all pixels together, with 95 % intervals where each
            group's probabilities could be kept; empty for masks.
        confusion: Pixels by truth and prediction, of all pictures together.
        mean_confusion: The mean over pictures of each one's share of its picture, in [0, 1]: tp, fp, fn, tn.
        subgroups: The worst first.
    """

    evaluation: Evaluation
    per_image: dict[str, Estimate]
    quartiles: dict[str, Quartiles]
    pooled: dict[str, Estimate]
    probabilities: dict[str, Estimate]
    confusion: Counts
    mean_confusion: dict[str, float]
    subgroups: list[Subgroup]

    @property
    def name(self) -> str:
        """The side's name."""
        return self.evaluation.prediction


@dataclass(frozen=True)
class Analysis:
    """All that an evaluation shows.

    Attributes:
        cases: The pictures, in the order of each evaluation's images.
        groups: How many groups they are in.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        has_intervals: Whether there are resamples, and groups enough for an interval.
        summaries: One for each side; the first is what was asked about, the others are what it is compared with.
        comparisons: Of every two sides, the earlier with the later.
    """

    cases: Cases
    groups: int
    resamples: int
    seed: int
    has_intervals: bool
    summaries: list[Summary]
    comparisons: list[Comparison]

    @property
    def n(self) -> int:
        """How many pictures were scored."""
        return len(self.summaries[0].evaluation.images)


def analyse(
    evaluations: Sequence[Evaluation],
    cases: Cases,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Analysis:
    """Say what the scores of one or several sides amount to.

    Args:
        evaluations: Of the same pictures in the same order; at least one, of at least one picture.
        cases: The pictures, with their facts.
        resamples: Of the bootstrap behind every interval; 0: no intervals.
        seed: Of the bootstrap.
        progress: Who listens.

    Raises:
        ValueError: The evaluations are not of the same pictures in the same order.
    """
    bootstrap = GroupBootstrap([image.group for image in evaluations[0].images], resamples, seed)
    summarised = (_summarise(evaluation, cases, bootstrap, resamples, seed) for evaluation in evaluations)
    return Analysis(
        cases=cases,
        groups=bootstrap.groups,
        resamples=resamples,
        seed=seed,
        has_intervals=bootstrap.has_intervals,
        summaries=list(track(progress or Silent(), summarised, "analysing", len(evaluations))),
        comparisons=compare_all(evaluations, bootstrap),
    )


def _summarise(evaluation: Evaluation, cases: Cases, bootstrap: GroupBootstrap, resamples: int, seed: int) -> Summary:
    values = evaluation.values()
    groups = [image.group for image in evaluation.images]
    counted = [image.counts for image in evaluation.images]
    return Summary(
        evaluation=evaluation,
        per_image=estimate_means(values, bootstrap),
        quartiles={name: Quartiles(*map(float, np.percentile(found, (25, 50, 75)))) for name, found in values.items()},
        pooled=_pool(counted, bootstrap),
        probabilities=estimate_probabilities(evaluation.board.histogram, evaluation.by_group, bootstrap),
        confusion=evaluation.board.confusion(),
        mean_confusion=_mean_confusion(counted),
        subgroups=subgroups(cases.facts, groups, {name: values[name] for name in SUBGROUP_FIGURES}, resamples, seed),
    )


def _pool(counted: Sequence[Counts], bootstrap: GroupBootstrap) -> dict[str, Estimate]:
    """Overlap figures of all pixels together, and of all pixels of each resample."""
    everything = pooled_figures(sum(counted, Counts()))
    if not bootstrap.has_intervals:
        return {name: Estimate(value, None, None) for name, value in everything.items()}
    draws = [list(pooled_figures(Counts(*map(int, row))).values()) for row in bootstrap.sums(_as_rows(counted))]
    lows, highs = interval(np.array(draws)).tolist()
    return {
        name: Estimate(value, low, high)
        for (name, value), low, high in zip(everything.items(), lows, highs, strict=True)
    }


def _mean_confusion(counted: Sequence[Counts]) -> dict[str, float]:
    rows = _as_rows(counted)
    shares = (rows / rows.sum(axis=1, keepdims=True)).mean(axis=0)
    return dict(zip(("tp", "fp", "fn", "tn"), map(float, shares), strict=True))


def _as_rows(counted: Sequence[Counts]) -> NDArray[np.float64]:
    return np.array([[c.tp, c.fp, c.fn, c.tn] for c in counted], np.float64)
