"""The learning rate at each step, worked out by hand."""

from __future__ import annotations

import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lesionctl.train.learning.schedule import rate_share
from lesionctl.train.options import Schedule


def cosine(step, total, warmup):
    return rate_share(Schedule.COSINE, step, total, warmup, [])


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 1 / 3),  # two steps rise: a third, two thirds, the whole
        (1, 2 / 3),
        (2, 1.0),
        (3, 0.9619398),  # (1 + cos(pi / 8)) / 2
        (4, 0.8535534),  # (1 + cos(pi / 4)) / 2
        (6, 0.5),  # half way down
        (8, 0.1464466),
        (9, 0.0380602),  # (1 + cos(7 pi / 8)) / 2
    ],
)
def test_ten_steps_of_which_a_fifth_rise(step, expected):
    assert cosine(step, 10, 0.2) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(("step", "expected"), [(0, 1.0), (1, 0.75), (2, 0.25)])
def test_three_steps_without_a_rise(step, expected):
    assert cosine(step, 3, 0.0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 1 / 3),
        (1, 2 / 3),
        (2, 1.0),
        (6, 0.5358867),  # half of it is left: 0.5 ^ 0.9
        (9, 0.1538930),  # an eighth: 0.125 ^ 0.9
    ],
)
def test_poly_by_hand(step, expected):
    assert rate_share(Schedule.POLY, step, 10, 0.2, []) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.04),  # 1/25
        (1, 0.52),  # half way up, from step 0 to step 2: (0.04 + 1) / 2
        (2, 1.0),  # 30 % of ten steps have risen
        (9, 1e-4),
    ],
)
def test_onecycle_rises_for_thirty_percent(step, expected):
    assert rate_share(Schedule.ONECYCLE, step, 10, 0.0, []) == pytest.approx(expected)


@pytest.mark.parametrize(("warmup", "rise"), [(0.0, 0.3), (0.3, 0.3), (0.1, 0.1), (0.5, 0.5), (0.95, 0.95)])
@pytest.mark.parametrize("total", [20, 100, 137])
def test_onecycle_is_torchs(warmup, rise, total):
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.AdamW([weight], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, total, pct_start=rise, div_factor=25, final_div_factor=1e4 / 25
    )
    for step in range(total):
        assert rate_share(Schedule.ONECYCLE, step, total, warmup, []) == pytest.approx(theirs.get_last_lr()[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that nothing was optimised
            theirs.step()


@pytest.mark.parametrize(
    ("dices", "expected"),
    [
        ([], 1.0),
        ([0.5, 0.6, 0.7], 1.0),
        ([0.7, 0.6, 0.65], 1.0),  # two epochs without a better one
        ([0.7, 0.6, 0.65, 0.7], 0.5),  # three: as good is not better
        ([0.7, 0.6, 0.65, 0.7, 0.6, 0.6], 0.5),
        ([0.7, 0.6, 0.65, 0.7, 0.6, 0.6, 0.6], 0.25),
        ([0.7, 0.6, 0.65, 0.71, 0.6, 0.6], 1.0),  # the third is better, and the count begins anew
        ([0.7, 0.6, 0.65, 0.7, 0.8, 0.6, 0.6], 0.5),  # a better one does not bring the rate back
        ([0.7, 0.6, 0.65, 0.7, 0.8, 0.6, 0.6, 0.6], 0.25),
    ],
)
def test_plateau_halves_after_three_epochs_without_a_better_dice(dices, expected):
    assert rate_share(Schedule.PLATEAU, 50, 100, 0.05, dices) == expected
    assert rate_share(Schedule.PLATEAU, 1, 100, 0.05, dices) == pytest.approx(expected * 2 / 6)  # still rising


@pytest.mark.parametrize("schedule", Schedule)
@pytest.mark.parametrize("warmup", [0.0, 0.05])
def test_single_step_has_the_whole_rate(schedule, warmup):
    assert rate_share(schedule, 0, 1, warmup, []) == 1.0


@pytest.mark.parametrize("schedule", Schedule)
@given(st.integers(1, 500), st.floats(0, 0.99))
def test_rate_rises_then_falls_and_is_never_zero(schedule, total, warmup):
    rates = [rate_share(schedule, step, total, warmup, []) for step in range(total)]
    assert all(0 < rate <= 1 for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
