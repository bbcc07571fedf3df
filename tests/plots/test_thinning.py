from __future__ import annotations

import numpy as np

from lesionctl.plots.thinning import thin


def test_short_lines_are_left_as_they_are():
    x, y = thin([0, 1, 2], [5, 6, 7])
    assert (x.tolist(), y.tolist()) == ([0, 1, 2], [5, 6, 7])


def test_a_steep_line_keeps_its_shape_and_its_ends():
    fpr = np.linspace(0, 1, 100_000)
    tpr = fpr**0.01  # most of the way up is before the second point
    x, y = thin(fpr, tpr, most=50)
    assert 20 < len(x) <= 50
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert np.abs(np.interp(fpr[1:], x, y) - tpr[1:]).max() < 0.02


def test_a_line_in_one_place_keeps_its_ends():
    x, y = thin(np.zeros(1000), np.zeros(1000))
    assert set(x) == set(y) == {0.0}
