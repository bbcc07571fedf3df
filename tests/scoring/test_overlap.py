"""Overlap figures: their names, the threshold of the Jaccard index, and what is true of any masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionctl.scoring.counts import Counts
from lesionctl.scoring.overlap import FIGURES, THRESHOLD_JACCARD, thresholded_jaccard


def test_figures_have_these_names_in_this_order():
    assert list(FIGURES) == [
        "dice",
        "jaccard",
        "thresholded_jaccard",
        "precision",
        "recall",
        "specificity",
        "pixel_accuracy",
        "balanced_accuracy",
        "volumetric_similarity",
    ]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Counts(tp=65, fp=35), 0.65),  # exactly at the threshold: counts
        (Counts(tp=6_500_000, fn=3_500_000), 0.65),
        (Counts(tp=6_499_999, fn=3_500_001), 0.0),  # 0.6499999: as bad as nothing
        (Counts(tp=66, fp=34), 0.66),
        (Counts(tp=64, fp=36), 0.0),
        (Counts(tn=5), 1.0),
    ],
)
def test_jaccard_below_065_counts_as_zero(counts, expected):
    assert THRESHOLD_JACCARD == 0.65
    assert thresholded_jaccard(counts) == expected


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Counts(tp=10), 1.0),
        (Counts(fp=10, fn=10), 1.0),  # as large, elsewhere
        (Counts(tp=10, fp=10), 2 / 3),  # 20 pixels for 10: 1 - 10 / 30
        (Counts(tp=10, fn=10), 2 / 3),  # and the other way round
        (Counts(tp=10, fp=10, fn=5), 6 / 7),  # 20 for 15: 1 - 5 / 35
        (Counts(fp=10), 0.0),
        (Counts(tn=10), 1.0),
    ],
)
def test_volumetric_similarity_compares_sizes_alone(counts, expected):
    assert FIGURES["volumetric_similarity"](counts) == pytest.approx(expected, abs=1e-12)


def test_balanced_accuracy_is_not_earned_by_predicting_nothing():
    nothing = Counts(fn=5, tn=95)
    assert FIGURES["pixel_accuracy"](nothing) == 0.95
    assert FIGURES["balanced_accuracy"](nothing) == 0.5


pixels = st.integers(0, 10**7)
any_counts = st.builds(Counts, pixels, pixels, pixels, pixels)


@given(any_counts)
def test_every_figure_is_between_zero_and_one(counts):
    assert all(0 <= figure(counts) <= 1 for figure in FIGURES.values())


@given(pixels, pixels)
def test_every_figure_is_perfect_where_all_pixels_are_right(tp, tn):
    assert {figure(Counts(tp=tp, tn=tn)) for figure in FIGURES.values()} == {1.0}


@given(any_counts)
def test_dice_is_a_function_of_jaccard(counts):
    j = FIGURES["jaccard"](counts)
    assert FIGURES["dice"](counts) == pytest.approx(2 * j / (1 + j), abs=1e-12)


@given(any_counts)
def test_dice_is_never_above_volumetric_similarity(counts):
    assert FIGURES["dice"](counts) <= FIGURES["volumetric_similarity"](counts) + 1e-12


@given(any_counts)
def test_balanced_accuracy_lies_between_sensitivity_and_specificity(counts):
    sides = FIGURES["recall"](counts), FIGURES["specificity"](counts)
    assert FIGURES["balanced_accuracy"](counts) == pytest.approx(np.mean(sides), abs=1e-12)
