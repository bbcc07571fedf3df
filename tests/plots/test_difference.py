from __future__ import annotations

import pytest

pytest.importorskip("matplotlib")

from lesionctl.plots.difference import difference_plot
from lesionctl.plots.figure import COLOURS


def test_each_row_has_its_interval_and_a_tie_is_called_that(inline):
    labels = ["b − a", "c − a", "d − a"]
    svg = inline(difference_plot(labels, [0.012, -0.002, -0.03], [(0.004, 0.02), (-0.01, 0.005), (-0.05, -0.01)]))
    assert {*labels, "+0.012", "−0.002 · a tie", "−0.03", "difference, with its 95 % interval"} <= set(svg.words)
    assert svg.lines(COLOURS[0]) == 2  # the tie has no colour


def test_an_interval_that_ends_at_zero_holds_it(inline):
    assert "+0.1 · a tie" in inline(difference_plot(["b − a"], [0.1], [(0, 0.2)])).words


def test_without_an_interval_only_the_value_is_drawn(inline):
    svg = inline(difference_plot(["b − a"], [0.1], [None], "difference in Dice"))
    assert {"+0.1", "difference in Dice"} <= set(svg.words)
    assert svg.lines(COLOURS[0]) == 0
