from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from lesionctl.plots.figure import COLOURS
from lesionctl.plots.probability import precision_recall_plot, reliability_plot, roc_plot

RATES = np.linspace(0, 1, 20_000)


def test_roc_of_weak_sides_has_the_diagonal_of_chance(inline):
    svg = inline(roc_plot({"weak": (RATES, RATES**0.5), "weaker": (RATES, RATES**0.8)}))
    assert {"weak", "weaker", "chance", "true positive rate (recall)"} <= set(svg.words)
    assert "the corner, enlarged" not in svg.words
    assert [svg.lines(colour) for colour in COLOURS[:3]] == [2, 2, 0]  # each in the plot and in the legend


def test_roc_of_a_strong_side_has_its_corner_enlarged(inline):
    svg = inline(roc_plot({"strong": (RATES, RATES**0.005), "weak": (RATES, RATES**0.5)}))
    assert {"the corner, enlarged", "0.95", "0.05"} <= set(svg.words)
    assert svg.lines(COLOURS[0]) == 3
    assert "chance" not in svg.words


def test_precision_and_recall_stand_before_lines_of_equal_dice(inline):
    svg = inline(precision_recall_plot({"model": (RATES, 1 - 0.5 * RATES**9)}))
    assert {"recall (sensitivity)", "precision", "model", "Dice", "0.5", "0.7", "0.9"} <= set(svg.words)
    assert svg.lines(COLOURS[0]) == 2


def _bins(pixels):
    pixels = np.array(pixels)
    mean = np.where(pixels > 0, (np.arange(len(pixels)) + 0.5) / len(pixels), np.nan)
    return SimpleNamespace(mean_probability=mean, observed=mean**2, pixels=pixels)


def test_reliability_shows_each_side_and_how_many_pixels_a_bin_has(inline):
    svg = inline(reliability_plot({"one": _bins([5_000_000, 0, 1, 70]), "two": _bins([9, 9, 9, 9])}))
    assert {"one", "two", "share that is lesion", "pixels", "1 k", "1 M"} <= set(svg.words)
    assert "1 G" not in svg.words
    assert [svg.lines(colour) for colour in COLOURS[:2]] == [2, 2]
    # Three bins of one side have pixels, and four of the other.
    assert [svg.text.count(f"fill: {colour}; opacity: 0.45") for colour in COLOURS[:2]] == [3, 4]
