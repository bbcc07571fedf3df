"""The mean of several answers, and their standard deviation."""

from __future__ import annotations

import numpy as np

from lesionctl.runtime.spread import mean_and_spread


def test_mean_and_deviation_are_numpy_s():
    answers = np.random.default_rng(0).random((7, 2, 5, 5), np.float32)
    mean, spread = mean_and_spread(iter(answers))
    assert (mean.dtype, spread.dtype, mean.shape) == (np.float32, np.float32, (2, 5, 5))
    np.testing.assert_allclose(mean, answers.mean(0), rtol=1e-6)
    np.testing.assert_allclose(spread, answers.std(0), rtol=1e-5)


def test_equal_answers_are_their_mean_to_the_bit():
    answer = np.random.default_rng(0).random((1, 9, 9), np.float32)
    mean, spread = mean_and_spread([answer] * 8)
    np.testing.assert_array_equal(mean, answer)
    np.testing.assert_array_equal(spread, 0)


def test_answers_are_left_as_they_are():
    answers = [np.full((1, 2, 2), value, np.float32) for value in (0.25, 0.75)]
    mean, spread = mean_and_spread(answers)
    assert (mean.mean(), spread.mean()) == (0.5, 0.25)
    assert [answer[0, 0, 0] for answer in answers] == [0.25, 0.75]
