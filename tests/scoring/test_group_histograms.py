"""Intervals of the figures of probabilities: against a bootstrap in a plain loop, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from lesionctl.scoring.bootstrap import GroupBootstrap
from lesionctl.scoring.group_histograms import GroupHistograms, estimate_probabilities
from lesionctl.scoring.probability import ProbabilityHistogram

FIGURES = ["roc_auc", "average_precision", "brier", "expected_calibration_error"]


def histogram_of(probability, truth):
    histogram = ProbabilityHistogram()
    histogram.update(np.asarray(probability, np.float32), np.asarray(truth, bool))
    return histogram


def pictures(groups, seed=0):
    """For each group a picture whose lesion is found well or badly."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(groups):
        truth = random.random((30, 40)) < random.uniform(0.1, 0.5)
        logits = random.normal(0, 1.5, truth.shape) + random.uniform(0.5, 4) * (truth - 0.5)
        made.append(histogram_of(1 / (1 + np.exp(-logits)), truth))
    return made


def estimate(histograms, groups, resamples=1000, seed=0):
    everything, by_group = ProbabilityHistogram(), GroupHistograms()
    for group, histogram in zip(groups, histograms, strict=True):
        everything.merge(histogram)
        by_group.add(group, histogram)
    return everything, estimate_probabilities(everything, by_group, GroupBootstrap(groups, resamples, seed))


def test_intervals_are_those_of_a_plain_bootstrap_of_all_levels():
    histograms = pictures(14)
    groups = [f"lesion {number // 2 if number < 4 else number:02}" for number in range(14)]  # 12: two of two pictures
    everything, found = estimate(histograms, groups)
    assert {name: found[name].value for name in FIGURES} == everything.figures()
    members = [[row for row, group in enumerate(groups) if group == name] for name in sorted(set(groups))]
    random, draws = np.random.default_rng(0), []
    for _ in range(1000):
        drawn = ProbabilityHistogram()
        for group in random.integers(0, len(members), len(members)):
            for row in members[group]:
                drawn.merge(histograms[row])
        draws.append(list(drawn.figures().values()))
    lows, highs = np.quantile(draws, [0.025, 0.975], axis=0)
    for name, low, high in zip(FIGURES, lows, highs, strict=True):
        assert (found[name].low, found[name].high) == pytest.approx((low, high), abs=(high - low) / 50)


def test_an_interval_lies_around_its_figure_where_levels_are_far_too_coarse():
    # All probabilities lie within one of the 256 levels, and tell lesion from background without fault.
    truth = np.arange(100).reshape(10, 10) % 3 == 0
    everything, found = estimate([histogram_of(0.9985 + 0.001 * truth, truth)] * 12, [f"{n:02}" for n in range(12)])
    assert everything.roc_auc() == 1
    assert (found["roc_auc"].low, found["roc_auc"].high) == pytest.approx((1, 1))
    assert found["brier"].low <= found["brier"].value <= found["brier"].high


def test_too_few_groups_no_resamples_or_nothing_kept_give_no_interval():
    histograms, groups = pictures(12), [f"{number:02}" for number in range(12)]
    for many, resamples in ((9, 100), (12, 0)):
        _, found = estimate(histograms[:many], groups[:many], resamples)
        assert list(found) == FIGURES
        assert {(one.low, one.high) for one in found.values()} == {(None, None)}
    assert estimate_probabilities(histograms[0], None, GroupBootstrap(groups, 100))["brier"].low is None
    assert estimate_probabilities(ProbabilityHistogram(), None, GroupBootstrap(groups, 100)) == {}


def test_of_resamples_without_a_class_the_others_tell():
    # One of ten pictures has a lesion: a third of the resamples has none, of which no area under a curve is defined.
    truth = np.zeros((4, 4), bool)
    lesion = np.eye(4, dtype=bool)
    histograms = [histogram_of(np.full((4, 4), 0.2), truth)] * 9 + [histogram_of(np.where(lesion, 0.9, 0.2), lesion)]
    _, found = estimate(histograms, [str(number) for number in range(10)])
    assert (found["roc_auc"].value, found["roc_auc"].low, found["roc_auc"].high) == pytest.approx((1, 1, 1))


@pytest.mark.parametrize(("groups", "fit"), [(1, True), (15_625, True), (15_626, False)])
def test_so_many_groups_are_kept_as_take_64_megabytes(groups, fit):
    assert GroupHistograms.fit(groups) is fit
