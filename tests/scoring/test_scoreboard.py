"""The mean over pictures and all pixels pooled are different figures, and both are right."""

from __future__ import annotations

import numpy as np
import pytest

from lesionctl.scoring.counts import Counts
from lesionctl.scoring.overlap import FIGURES, NOT_POOLED, pooled_figures
from lesionctl.scoring.probability import ProbabilityHistogram
from lesionctl.scoring.scoreboard import Scoreboard

LARGE = Counts(tp=900, fp=0, fn=100, tn=9000)  # Jaccard 0.9, Dice 1800 / 1900
SMALL = Counts(tp=1, fp=0, fn=9, tn=90)  # Jaccard 0.1, Dice 2 / 11


@pytest.fixture
def board():
    board = Scoreboard()
    board.add(LARGE)
    board.add(SMALL)
    return board


def test_mean_over_pictures(board):
    figures = board.per_image()
    assert list(figures) == list(FIGURES)
    assert figures["jaccard"] == pytest.approx(0.5)
    assert figures["dice"] == pytest.approx((1800 / 1900 + 2 / 11) / 2)  # 0.5646
    assert figures["thresholded_jaccard"] == pytest.approx(0.45)  # (0.9 + 0) / 2
    assert figures["recall"] == pytest.approx(0.5)
    assert figures["specificity"] == 1.0


def test_all_pixels_pooled(board):
    figures = pooled_figures(board.confusion())
    assert figures["jaccard"] == pytest.approx(901 / 1010)  # 0.8921
    assert figures["dice"] == pytest.approx(1802 / 1911)  # 0.9430
    assert figures["recall"] == pytest.approx(901 / 1010)
    assert figures["pixel_accuracy"] == pytest.approx(9991 / 10100)


def test_some_figures_are_about_pictures_alone(board):
    assert (
        set(FIGURES) - set(pooled_figures(board.confusion()))
        == NOT_POOLED
        == {"thresholded_jaccard", "volumetric_similarity"}
    )


def test_confusion_is_the_sum_of_the_counts(board):
    assert board.confusion() == Counts(tp=901, fp=0, fn=109, tn=9090)
    assert len(board) == 2


def test_one_picture_is_the_same_both_ways():
    board = Scoreboard()
    board.add(LARGE)
    per_image = board.per_image()
    assert pooled_figures(board.confusion()) == {
        name: value for name, value in per_image.items() if name not in NOT_POOLED
    }


def test_empty_board_has_no_figures():
    board = Scoreboard()
    assert len(board) == 0
    assert board.per_image() == {}
    assert board.confusion() == Counts()
    assert board.histogram.roc_auc() is None


def histogram(probability, truth):
    histogram = ProbabilityHistogram()
    histogram.update(np.array([probability], np.float32), np.array([truth], bool))
    return histogram


def test_roc_auc_pools_pixels():
    board = Scoreboard()
    board.add(LARGE, histogram([0.9, 0.2], [1, 0]))
    board.add(SMALL, histogram([0.1], [1]))
    assert board.histogram.roc_auc() == pytest.approx(0.5)  # 0.9 is above 0.2, 0.1 is below


def test_pictures_without_probabilities_have_no_roc_auc(board):
    assert board.histogram.roc_auc() is None
    assert board.histogram.pixels == 0


def test_histogram_holds_the_pixels_of_all_pictures():
    board = Scoreboard()
    board.add(LARGE, histogram([1.0, 0.0], [1, 0]))
    board.add(SMALL)
    board.add(SMALL, histogram([0.0], [1]))
    assert board.histogram.pixels == 3
    assert board.histogram.figures()["brier"] == pytest.approx(1 / 3)  # one of three is all wrong
