from __future__ import annotations

import pytest

from lesionctl.bench.timing import Timing


def test_percentiles_and_rate_of_known_times():
    turns = [[0.1 * k for k in range(1, 6)], [0.1 * k for k in range(6, 12)]]  # 0.1 to 1.1, median 0.6
    timing = Timing.of(turns, 3)
    assert timing.runs == 11
    assert timing.p50_ms == pytest.approx(600)
    assert timing.p95_ms == pytest.approx(1050)
    assert timing.p99_ms == pytest.approx(1090)
    assert timing.images_per_second == pytest.approx(5)


def test_few_turns_have_no_interval():
    timing = Timing.of([[0.5], [0.5], [0.5]], 1)
    assert (timing.low, timing.high) == (None, None)


def test_turns_that_are_all_the_same_have_an_interval_of_no_width():
    timing = Timing.of([[0.5, 0.5]] * 4, 2)
    assert (timing.images_per_second, timing.low, timing.high) == (4, 4, 4)


def test_the_interval_comes_from_whole_turns():
    # Two turns of 1 s and two of 2 s: one drawing in sixteen has the slow ones alone, and one the fast ones.
    timing = Timing.of([[1.0] * 50, [1.0] * 50, [2.0] * 50, [2.0] * 50], 1)
    assert (timing.low, timing.high) == (pytest.approx(0.5), pytest.approx(1))
