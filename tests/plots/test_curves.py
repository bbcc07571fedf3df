from __future__ import annotations

import math

import pytest

pytest.importorskip("matplotlib")

from lesionctl.plots.curves import training_curves
from lesionctl.plots.figure import COLOURS

FIGURES = {"val_dice": 0.5, "val_jaccard": 0.4, "val_thresholded_jaccard": 0.0}


def _history(epochs):
    rows = range(1, epochs + 1)
    return [{"epoch": n, "lr": 0.1 / n, "loss": n % 7, "images_per_second": 50.0, **FIGURES} for n in rows]


def test_four_panels_tell_of_loss_figures_rate_and_speed(inline):
    history = _history(5)
    history[2]["val_dice"] = 0.6
    svg = inline(training_curves(history, "tversky"))
    titles = {"training loss: tversky", "validation, per-image mean", "learning rate", "training images per second"}
    assert titles <= set(svg.words)
    assert {"Dice", "Jaccard", "thresholded Jaccard", "best Dice: epoch 3"} <= set(svg.words)
    assert svg.words.count("epoch") == 1  # below the last panel
    assert svg.lines(COLOURS[0]) == 4 + 1  # one in each panel, and in the legend
    assert svg.lines(COLOURS[1]) == svg.lines(COLOURS[2]) == 1 + 1


def test_what_lacks_is_a_gap(inline):
    history = _history(6)
    del history[2]["val_dice"]
    history[3]["val_jaccard"] = math.nan
    svg = inline(training_curves(history, "bce"))
    dice = [element.get("d") for element in svg.root.iter() if element.get("d", "").count("M") == 2]
    assert [path.count("L") for path in dice] == [1 + 2, 2 + 1]  # epochs 1 2, 4 5 6 of Dice; 1 2 3, 5 6 of Jaccard
    assert "best Dice: epoch 1" in svg.words


def test_without_validation_no_epoch_is_the_best(inline):
    svg = inline(training_curves([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4}], "bce"))
    assert not any(word.startswith("best") for word in svg.words)


def test_long_trainings_stay_small_and_end_where_they_end(inline):
    svg = inline(training_curves(_history(3001), "bce"))
    assert "3000" in svg.words


def test_two_columns_are_for_a_wide_screen(inline):
    narrow, wide = (inline(training_curves(_history(3), "bce", columns=columns)) for columns in (1, 2))
    assert narrow.root.get("viewBox") == "0 0 360 532.8"
    assert wide.root.get("viewBox") == "0 0 594 396"
    assert wide.words.count("epoch") == 2
