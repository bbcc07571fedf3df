"""The bootstrap over groups: against a plain loop, against SciPy where every picture is a group, and against theory."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats

from lesionctl.scoring import bootstrap as module
from lesionctl.scoring.bootstrap import FEWEST_GROUPS, Estimate, GroupBootstrap, estimate_means, interval

GROUPS = ["b", "a", "b", "c", "a", "b"]  # a: 2 pictures, b: 3, c: 1
VALUES = np.array([[0.1, 10.0], [0.2, 20.0], [0.3, 30.0], [0.4, 40.0], [0.5, 50.0], [0.6, 60.0]])


def own_groups(n):
    return [f"picture {number:05}" for number in range(n)]


def drawn_groups(resamples, groups, seed):
    """The same draws, one by one."""
    random = np.random.default_rng(seed)
    return [random.integers(0, groups, groups).tolist() for _ in range(resamples)]


def test_sums_and_means_are_those_of_a_plain_loop():
    pictures = {0: [1, 4], 1: [0, 2, 5], 2: [3]}  # of a, b, c
    sums, means = [], []
    for draw in drawn_groups(200, 3, seed=7):
        rows = [row for group in draw for row in pictures[group]]
        sums.append(VALUES[rows].sum(0))
        means.append(VALUES[rows].mean(0))
    bootstrap = GroupBootstrap(GROUPS, 200, seed=7)
    assert bootstrap.groups == 3
    np.testing.assert_allclose(bootstrap.sums(VALUES), sums, rtol=1e-12)
    np.testing.assert_allclose(bootstrap.means(VALUES), means, rtol=1e-12)


def test_every_group_is_drawn_as_often_as_any_other():
    # Of 5 groups each is drawn once on average, with the variance of a multinomial count: 1 - 1/5.
    counts = GroupBootstrap(own_groups(5), 20_000).sums(np.eye(5))
    assert counts.sum(1).tolist() == [5] * 20_000
    assert counts.mean(0).tolist() == pytest.approx([1] * 5, abs=0.03)
    assert counts.var(0).tolist() == pytest.approx([0.8] * 5, abs=0.03)
    assert np.cov(counts.T)[np.triu_indices(5, 1)].tolist() == pytest.approx([-0.2] * 10, abs=0.03)


def test_interval_agrees_with_scipy_where_each_picture_is_its_own_group():
    values = np.random.default_rng(3).beta(8, 2, 300)
    ours = interval(GroupBootstrap(own_groups(300)).means(values[:, None]))[:, 0]
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=10_000, method="percentile", random_state=np.random.default_rng(5)
    ).confidence_interval
    # A 2.5 % quantile of 10,000 normal draws has a standard error of 0.027 of theirs; both have it.
    tolerance = 4 * 0.027 * np.sqrt(2) * values.std() / np.sqrt(300)
    assert ours.tolist() == pytest.approx(list(theirs), abs=tolerance)


def test_interval_is_as_wide_as_theory_says():
    values = np.random.default_rng(4).normal(0.8, 0.1, 400)
    low, high = interval(GroupBootstrap(own_groups(400)).means(values[:, None]))[:, 0]
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)
    low, high = interval(GroupBootstrap(own_groups(400)).means(values[:, None]), confidence=0.5)[:, 0]
    assert high - low == pytest.approx(2 * 0.6745 * values.std() / 20, rel=0.05)


def test_percentiles_by_hand():
    draws = np.column_stack([np.arange(101.0), np.arange(101.0)[::-1] * 10])
    assert interval(draws, 0.9).tolist() == [pytest.approx([5, 50]), pytest.approx([95, 950])]


def test_pictures_doubled_within_their_groups_change_nothing():
    values = np.random.default_rng(0).integers(0, 65, (50, 1)) / 64  # sums of them are exact
    groups = own_groups(50)
    once = interval(GroupBootstrap(groups).means(values))
    twice = interval(GroupBootstrap(groups * 2).means(np.tile(values, (2, 1))))
    assert twice.tolist() == once.tolist()
    # As if they were independent the interval would be narrower by the root of two.
    wrong = interval(GroupBootstrap(own_groups(100)).means(np.tile(values, (2, 1))))
    assert np.diff(once, axis=0)[0, 0] / np.diff(wrong, axis=0)[0, 0] == pytest.approx(np.sqrt(2), rel=0.05)


def test_means_of_unequal_groups_are_of_pictures_and_not_of_groups():
    # Group a has one picture of 1, group b three of 0: a a, a b or b a, b b give 1, 1/4 and 0.
    means = GroupBootstrap(["a", "b", "b", "b"], 4000).means([[1.0], [0.0], [0.0], [0.0]])
    found, times = np.unique(means, return_counts=True)
    assert found.tolist() == [0, 0.25, 1]
    assert (times / 4000).tolist() == pytest.approx([0.25, 0.5, 0.25], abs=0.03)


def test_draws_are_the_same_at_every_call_and_follow_the_seed():
    one, same, other = GroupBootstrap(GROUPS, 50), GroupBootstrap(GROUPS, 50), GroupBootstrap(GROUPS, 50, seed=1)
    assert one.sums(VALUES).tolist() == one.sums(VALUES).tolist() == same.sums(VALUES).tolist()
    assert one.sums(VALUES).tolist() != other.sums(VALUES).tolist()


def test_differences_are_paired():
    bootstrap = GroupBootstrap(GROUPS, 500)
    better = VALUES + 0.01  # on every picture: so in every resample
    differences = bootstrap.means(better) - bootstrap.means(VALUES)
    assert differences.ravel().tolist() == pytest.approx([0.01] * 1000, abs=1e-12)
    np.testing.assert_allclose(differences, bootstrap.means(better - VALUES), atol=1e-12)


@pytest.mark.parametrize("at_once", [1, 7, 100, 2**20])
def test_draws_do_not_depend_on_how_many_are_made_at_once(monkeypatch, at_once):
    expected = GroupBootstrap(GROUPS, 101).sums(VALUES)
    monkeypatch.setattr(module, "_COUNTS_AT_ONCE", at_once)
    np.testing.assert_allclose(GroupBootstrap(GROUPS, 101).sums(VALUES), expected, rtol=1e-14)


def test_values_of_other_pictures_are_refused():
    with pytest.raises(ValueError, match="length"):
        GroupBootstrap(GROUPS, 10).sums(VALUES[:-1])


def test_estimates_have_the_mean_over_pictures_within_their_interval():
    many = np.concatenate([VALUES] * 2)
    values = {"dice": many[:, 0].tolist(), "hd95": many[:, 1].tolist()}
    bootstrap = GroupBootstrap(own_groups(12), 2000)
    estimates = estimate_means(values, bootstrap)
    assert list(estimates) == ["dice", "hd95"]
    assert estimates["dice"].value == pytest.approx(0.35)
    low, high = interval(bootstrap.means(many)).tolist()
    assert estimates["dice"] == Estimate(float(np.mean(values["dice"])), low[0], high[0])
    assert estimates["hd95"] == Estimate(float(np.mean(values["hd95"])), low[1], high[1])
    assert estimates["dice"].low < 0.35 < estimates["dice"].high


@pytest.mark.parametrize(
    ("groups", "resamples"),
    [(["a"], 100), (["a"] * 60, 100), (own_groups(9) * 5, 100), (own_groups(30), 0)],
    ids=["one picture", "one group", "nine groups", "no resamples"],
)
def test_fewer_than_ten_groups_or_no_resamples_give_no_interval(groups, resamples):
    values = np.resize(VALUES[:, 0], len(groups)).tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimates = estimate_means({"dice": values}, GroupBootstrap(groups, resamples))
    assert estimates == {"dice": Estimate(float(np.mean(values)), None, None)}


def test_ten_groups_are_enough_for_an_interval():
    estimate = estimate_means({"dice": [0.5] * 5 + [0.7] * 5}, GroupBootstrap(own_groups(10), 500))["dice"]
    assert 0.5 <= estimate.low < 0.6 < estimate.high <= 0.7
    assert FEWEST_GROUPS == 10


@pytest.mark.parametrize("kept", [0, 200 * 3], ids=["drawn anew", "kept"])
@pytest.mark.parametrize("at_once", [7, 2**20])
def test_draws_that_are_kept_are_those_that_are_drawn_anew(monkeypatch, kept, at_once):
    expected = GroupBootstrap(GROUPS, 200, seed=7).sums(VALUES)
    monkeypatch.setattr(module, "_COUNTS_KEPT", kept)
    monkeypatch.setattr(module, "_COUNTS_AT_ONCE", at_once)
    drawn = []
    count = module._count_draws
    monkeypatch.setattr(
        module, "_count_draws", lambda counts, random: drawn.append(len(counts)) or count(counts, random)
    )
    bootstrap = GroupBootstrap(GROUPS, 200, seed=7)
    for _ in range(3):
        np.testing.assert_allclose(bootstrap.sums(VALUES), expected, rtol=1e-14)
    assert sum(drawn) == (200 if kept else 600)


def test_counts_are_kept_in_the_fewest_bytes():
    for groups, kind in ((255, np.uint8), (256, np.uint16)):
        bootstrap = GroupBootstrap(own_groups(groups), 20)
        bootstrap.sums(np.ones((groups, 1)))
        assert bootstrap._kept.dtype == kind
        assert bootstrap._kept.sum(1, dtype=int).tolist() == [groups] * 20


def test_no_figures_have_no_estimates():
    assert estimate_means({}, GroupBootstrap(GROUPS)) == {}
