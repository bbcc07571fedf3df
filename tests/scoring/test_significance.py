"""Wilcoxon's test by counting signs, and Holm's correction by hand."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lesionctl.scoring.significance import holm, wilcoxon


@pytest.fixture(autouse=True)
def _warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def by_counting(differences):
    """Two-sided p: of all ways to give the differences signs, the share at least as far from the middle."""
    sizes = np.abs([difference for difference in differences if difference])
    ranks = stats.rankdata(sizes)
    middle = ranks.sum() / 2
    signs = itertools.product((0, 1), repeat=len(ranks))
    distances = np.array([abs(np.dot(sign, ranks) - middle) for sign in signs])
    found = abs(ranks[[difference > 0 for difference in differences if difference]].sum() - middle)
    return np.mean(distances >= found - 1e-9)


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([0.3], 1.0),  # one of two signs or the other
        ([0.1, 0.2], 0.5),  # 2 of 4
        ([0.1, 0.2, 0.3], 0.25),  # 2 of 8
        ([0.1, 0.2, 0.3, 0.4, 0.5], 0.0625),  # 2 of 32: five differences never reach 0.05
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 0.03125),  # 2 of 64
        ([-0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 0.0625),  # rank sums 0, 1, 20 and 21: 4 of 64
        ([0.1, -0.2, 0.3, -0.4], 0.875),  # rank sum 4 of 10: only 5, in 2 of 16 ways, is nearer the middle
        ([0.2, 0.2, 0.2, 0.2], 0.125),  # all of one size: 2 of 16
    ],
)
def test_exact_p_by_hand(differences, p):
    assert wilcoxon(differences) == pytest.approx(p, abs=1e-12)
    assert wilcoxon([-difference for difference in differences]) == pytest.approx(p, abs=1e-12)
    assert by_counting(differences) == pytest.approx(p, abs=1e-12)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=8))
def test_few_differences_are_exact_also_with_ties(differences):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert wilcoxon(differences) == pytest.approx(by_counting(differences) if any(differences) else 1, abs=1e-9)


@pytest.mark.parametrize("n", [1, 2, 30, 1000])
def test_only_zeros_are_no_difference(n):
    assert wilcoxon([0.0] * n) == 1.0


@pytest.mark.parametrize("zeros", [1, 13, 500])
def test_zeros_are_left_out_and_leave_the_rest_exact(zeros):
    # Given 13 zeros or more, SciPy would turn to the normal approximation and say 0.043.
    assert wilcoxon([0.1, 0.2, 0.3, 0.4, 0.5] + [0.0] * zeros) == 0.0625


@pytest.mark.parametrize("n", [14, 50, 51, 400])
def test_many_differences_agree_with_scipy(n):
    differences = np.random.default_rng(n).normal(0.02, 0.1, n)
    assert wilcoxon(differences.tolist()) == pytest.approx(stats.wilcoxon(differences).pvalue, abs=1e-12)
    rounded = np.round(differences, 1)  # ties and zeros, which SciPy treats by approximation
    tolerance = 0.02 if (rounded != 0).sum() <= 50 else 0
    assert wilcoxon(rounded.tolist()) == pytest.approx(stats.wilcoxon(rounded[rounded != 0]).pvalue, abs=tolerance)


def test_an_example_from_a_textbook():
    # Hollander & Wolfe, Nonparametric Statistical Methods, table 3.1 (depression scores before and after), as in R's
    # ?wilcox.test: V = 40 of 45, one-sided p = 0.01953, two-sided twice that.
    first = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
    second = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
    assert wilcoxon(np.subtract(first, second).tolist()) == pytest.approx(0.0390625, abs=1e-12)


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # 4 * 0.005, 3 * 0.01, 2 * 0.03, then no less
        ([0.04, 0.04, 0.04], [0.12, 0.12, 0.12]),
        ([0.01, 0.02, 0.022], [0.03, 0.04, 0.04]),  # 0.022 alone would stay 0.022: not below 0.04
        ([0.5, 0.6], [1.0, 1.0]),  # none above 1
        ([0.02], [0.02]),
        ([], []),
    ],
)
def test_holm_by_hand(p_values, adjusted):
    assert holm(p_values) == pytest.approx(adjusted, abs=1e-12)


def rejected_step_by_step(p_values, alpha):
    """As Holm wrote it: the smallest against alpha / m, the next against alpha / (m - 1), until one fails."""
    rejected = set()
    for step, number in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[number] > alpha / (len(p_values) - step):
            break
        rejected.add(number)
    return rejected


probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(probabilities, st.sampled_from([0.01, 0.05, 0.2]))
def test_holm_rejects_what_his_procedure_rejects(p_values, alpha):
    adjusted = holm(p_values)
    clear = [abs(value - alpha) > 1e-9 for value in adjusted]
    found = {number for number, value in enumerate(adjusted) if value <= alpha}
    expected = rejected_step_by_step(p_values, alpha)
    assert {number for number in found if clear[number]} == {number for number in expected if clear[number]}


@given(probabilities)
def test_holm_keeps_the_order_and_never_helps(p_values):
    adjusted = holm(p_values)
    for (p, value), (other_p, other_value) in itertools.combinations(zip(p_values, adjusted, strict=True), 2):
        assert (p <= other_p and value <= other_value) or (p >= other_p and value >= other_value)
    assert all(p <= value <= 1 for p, value in zip(p_values, adjusted, strict=True))
