from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from lesionctl.plots.distribution import distribution_plot
from lesionctl.plots.figure import COLOURS


def _points(svg, colour):
    """The way of the line of a colour, in SVG units: [n, 2], and the frame's left, top, right, bottom."""
    style = f"fill: none; stroke: {colour}"
    path = next(element.get("d") for element in svg.root.iter() if style in element.get("style", ""))
    numbers = np.array([float(word) for word in path.split() if word not in "MLz"]).reshape(-1, 2)
    clip = next(element for element in svg.root.iter() if element.tag.endswith("rect"))
    left, top, width, height = (float(clip.get(name)) for name in ("x", "y", "width", "height"))
    return (numbers[:, 0] - left) / width, 1 - (numbers[:, 1] - top) / height


def test_the_line_tells_which_share_reaches_no_more(inline):
    svg = inline(distribution_plot({"model": [0.75, 0.25, 0.5, 1.0]}, "Dice of a picture"))
    x, y = _points(svg, COLOURS[0])
    for value, share in ((0.2, 0), (0.3, 0.25), (0.6, 0.5), (0.9, 0.75)):
        assert y[np.flatnonzero(x < value)[-1]] == pytest.approx(share, abs=1e-3)
    assert {"model · median 0.625", "Dice of a picture", "pictures at or below", "50 %", "1"} <= set(svg.words)


def test_sides_share_the_axis_of_the_figure(inline):
    svg = inline(distribution_plot({"a": [0.8, 0.9], "b": [0.85, 0.95]}, "Dice"))
    assert {"0", "0.2", "1"} <= set(svg.words)
    assert [svg.lines(colour) for colour in COLOURS[:3]] == [3, 3, 0]  # the line, the median, the legend


def test_infinite_values_keep_the_line_below_the_top_and_nan_is_left_out(inline):
    svg = inline(distribution_plot({"model": [1.0, 2.0, 3.0, math.inf, math.nan]}, "HD95 (px)"))
    _, y = _points(svg, COLOURS[0])
    assert y[-1] == pytest.approx(0.75, abs=1e-3)  # three of four
    assert "model · median 2.5" in svg.words


def test_values_far_from_the_others_make_the_axis_logarithmic(inline):
    svg = inline(distribution_plot({"model": [0.0, 2.0, 3.0, 4.0, 900.0]}, "HD95 (px)"))
    assert {"HD95 (px), logarithmic", "1", "10", "100", "1000"} <= set(svg.words)


def test_a_side_without_values_says_so(inline):
    svg = inline(distribution_plot({"none": [math.nan], "some": [0.5]}, "Dice"))
    assert {"none · no value", "some · median 0.5"} <= set(svg.words)


def test_many_pictures_of_many_sides_stay_small(inline):
    random = np.random.default_rng(0)
    svg = inline(distribution_plot({f"side {n}": random.random(20_000) for n in range(8)}, "Dice"))
    x, y = _points(svg, COLOURS[0])
    assert np.abs(x - y).max() < 0.02  # evenly spread values lie on the diagonal
