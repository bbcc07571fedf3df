"""The learning rate at each step, worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionctl.train.schedule import warmup_cosine


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
    assert warmup_cosine(step, 10, 0.2) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(("step", "expected"), [(0, 1.0), (1, 0.75), (2, 0.25)])
def test_three_steps_without_a_rise(step, expected):
    assert warmup_cosine(step, 3, 0.0) == pytest.approx(expected)


def test_single_step_has_the_whole_rate():
    assert warmup_cosine(0, 1, 0.05) == 1.0


@given(st.integers(1, 500), st.floats(0, 0.99))
def test_rate_rises_then_falls_and_is_never_zero(total, warmup):
    rates = [warmup_cosine(step, total, warmup) for step in range(total)]
    assert all(0 < rate <= 1 for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
