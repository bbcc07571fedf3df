"""What follows from the scores, on numbers that can be worked out by hand."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lesionctl.evaluate.analysis import analyse
from lesionctl.evaluate.cases import Case, Cases
from lesionctl.evaluate.evaluation import Evaluation, ImageScore
from lesionctl.progress import Silent
from lesionctl.scoring.counts import Counts
from lesionctl.scoring.group_histograms import GroupHistograms
from lesionctl.scoring.probability import ProbabilityHistogram

# Dice 1, 1/2, 0; of 100 pixels each.
COUNTS = [Counts(tp=20, tn=80), Counts(tp=10, fp=10, fn=10, tn=70), Counts(fp=5, fn=15, tn=80)]


MANY = COUNTS * 4  # of fewer than ten groups there is no interval


def evaluated(name="model", counts=COUNTS, groups="abcdefghijkl"):
    evaluation = Evaluation(name)
    for number, (counted, group) in enumerate(zip(counts, groups, strict=False)):
        evaluation.images.append(ImageScore(str(number), "set", group, counted, {"hd95": float(number)}))
        evaluation.board.add(counted)
    return evaluation


def pictures(n=3, **facts):
    items = [Case(str(number), "set", "g", None, Path("mask.png"), lambda: None) for number in range(n)]
    return Cases("set", items, facts=[{name: values[i] for name, values in facts.items()} for i in range(n)])


def test_means_medians_and_pooled_figures():
    (summary,) = analyse([evaluated()], pictures()).summaries
    assert summary.per_image["dice"].value == pytest.approx(1 / 2)
    assert summary.per_image["hd95"].value == 1
    assert (summary.quartiles["dice"].lower, summary.quartiles["dice"].median) == (0.25, 0.5)
    # Pooled: tp 30, fp 15, fn 25, tn 230.
    assert summary.pooled["dice"].value == pytest.approx(60 / 100)
    assert summary.confusion == Counts(30, 15, 25, 230)
    assert "thresholded_jaccard" not in summary.pooled
    assert "hd95" not in summary.pooled
    assert summary.mean_confusion == pytest.approx({"tp": 0.1, "fp": 0.05, "fn": 0.25 / 3, "tn": 2.3 / 3})


def test_intervals_hold_the_figure_and_are_those_of_a_plain_bootstrap():
    analysis = analyse([evaluated(counts=MANY)], pictures(12), resamples=4000, seed=1)
    (summary,) = analysis.summaries
    assert analysis.has_intervals
    rng, means, pooled = np.random.default_rng(5), [], []
    for _ in range(4000):
        drawn = [MANY[i] for i in rng.integers(0, 12, 12)]
        means.append(np.mean([2 * c.tp / (2 * c.tp + c.fp + c.fn) for c in drawn]))
        total = sum(drawn, Counts())
        pooled.append(2 * total.tp / (2 * total.tp + total.fp + total.fn))
    for estimate, draws in ((summary.per_image["dice"], means), (summary.pooled["dice"], pooled)):
        assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.05)


@pytest.mark.parametrize(("groups", "enough"), [("a" * 12, False), ("abcdefghiabc", False), ("abcdefghijab", True)])
def test_fewer_than_ten_groups_have_no_interval(groups, enough):
    analysis = analyse([evaluated(counts=MANY, groups=groups)], pictures(12), resamples=100)
    (summary,) = analysis.summaries
    assert analysis.has_intervals is enough
    found = [*summary.per_image.values(), *summary.pooled.values()]
    assert {estimate.low is not None for estimate in found} == {enough}


def test_the_same_seed_gives_the_same_intervals_and_no_resamples_none():
    one, other = (analyse([evaluated(counts=MANY)], pictures(12), resamples=500, seed=3) for _ in range(2))
    assert one.summaries[0].per_image == other.summaries[0].per_image
    assert one.summaries[0].per_image["dice"].low is not None
    none = analyse([evaluated(counts=MANY)], pictures(12), resamples=0).summaries[0]
    assert {estimate.low for estimate in (*none.per_image.values(), *none.pooled.values())} == {None}


def test_subgroups_come_worst_first():
    (summary,) = analyse([evaluated()], pictures(site=["back", "back", "arm"])).summaries
    assert [(group.value, group.n) for group in summary.subgroups] == [("arm", 1), ("back", 2)]
    assert summary.subgroups[0].figures["dice"].value == 0
    assert summary.subgroups[1].figures["dice"].value == pytest.approx(3 / 4)


def test_sides_are_compared_in_the_order_in_which_they_were_named():
    analysis = analyse([evaluated("a"), evaluated("b", COUNTS[::-1])], pictures())
    assert [summary.name for summary in analysis.summaries] == ["a", "b"]
    assert [(pair.one, pair.other) for pair in analysis.comparisons] == [("a", "b")]
    assert (analysis.n, analysis.groups) == (3, 3)


def test_probabilities_have_figures_of_their_own():
    evaluation = evaluated()
    assert analyse([evaluation], pictures()).summaries[0].probabilities == {}
    histogram = ProbabilityHistogram()
    histogram.update(np.array([[0.9, 0.1]], np.float32), np.array([[True, False]]))
    evaluation.board.add(Counts(tp=1, tn=1), histogram)
    figures = analyse([evaluation], pictures()).summaries[0].probabilities
    assert figures["roc_auc"].value == 1
    assert figures["brier"].value == pytest.approx(0.01, abs=1e-4)
    assert figures["brier"].low is None  # nothing was kept of groups


def test_probabilities_have_intervals_where_something_was_kept_of_groups():
    evaluation = evaluated(counts=MANY)
    evaluation.by_group = GroupHistograms()
    for number, image in enumerate(evaluation.images):
        histogram = ProbabilityHistogram()
        histogram.update(np.array([[0.9, 0.1 + 0.05 * number]], np.float32), np.array([[True, False]]))
        evaluation.board.histogram.merge(histogram)
        evaluation.by_group.add(image.group, histogram)
    figures = analyse([evaluation], pictures(12), resamples=500).summaries[0].probabilities
    assert 0 < figures["brier"].low < figures["brier"].value < figures["brier"].high < 0.5


def test_who_listens_hears_how_far_it_is():
    done = []

    class Listener(Silent):
        @contextmanager
        def task(self, description, total=None, **_):
            yield SimpleNamespace(advance=lambda: done.append((description, total)))

    analyse([evaluated("a"), evaluated("b")], pictures(), progress=Listener())
    assert done == [("analysing", 2)] * 2
