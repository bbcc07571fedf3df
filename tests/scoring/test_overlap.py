"""Overlap figures against ISIC's rules, worked out by hand, and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score, precision_score, recall_score

from lesionctl.scoring.counts import Counts, count
from lesionctl.scoring.overlap import FIGURES, THRESHOLD_JACCARD, jaccard, thresholded_jaccard

N = 100  # pixels of the masks in the table

NAMES = ("jaccard", "dice", "recall", "specificity", "precision", "pixel_accuracy", "thresholded_jaccard")


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # Nothing to find and nothing found: all is right.
        pytest.param(Counts(tn=N), (1, 1, 1, 1, 1, 1, 1), id="both empty"),
        # One false pixel in an empty truth is all wrong for overlap, hardly wrong for accuracy.
        pytest.param(Counts(fp=1, tn=N - 1), (0, 0, 1, 0.99, 0, 0.99, 0), id="empty truth, one pixel predicted"),
        pytest.param(Counts(fp=N), (0, 0, 1, 0, 0, 0, 0), id="empty truth, full prediction"),
        pytest.param(Counts(fn=N), (0, 0, 0, 1, 0, 0, 0), id="full truth, empty prediction"),
        pytest.param(Counts(fn=1, tn=N - 1), (0, 0, 0, 1, 0, 0.99, 0), id="one pixel missed"),
        pytest.param(Counts(tp=1, tn=N - 1), (1, 1, 1, 1, 1, 1, 1), id="one pixel found"),
        # No background: there is nothing that specificity could measure.
        pytest.param(Counts(tp=N), (1, 1, 1, 1, 1, 1, 1), id="all lesion in both"),
        pytest.param(Counts(tp=60, fn=40), (0.6, 0.75, 0.6, 1, 1, 0.6, 0), id="all lesion, some missed"),
        pytest.param(Counts(tp=20, fp=10, fn=10, tn=60), (0.5, 2 / 3, 2 / 3, 6 / 7, 2 / 3, 0.8, 0), id="a bit of all"),
        pytest.param(
            Counts(tp=13, fp=4, fn=3, tn=80), (0.65, 26 / 33, 13 / 16, 80 / 84, 13 / 17, 0.93, 0.65), id="0.65"
        ),
        pytest.param(Counts(fp=5, fn=5, tn=90), (0, 0, 0, 90 / 95, 0, 0.9, 0), id="no overlap"),
    ],
)
def test_figures_by_hand(counts, expected):
    assert [FIGURES[name](counts) for name in NAMES] == pytest.approx(list(expected), abs=1e-12)


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


def test_figures_have_these_names_in_this_order():
    assert list(FIGURES) == [
        "dice",
        "jaccard",
        "thresholded_jaccard",
        "precision",
        "recall",
        "specificity",
        "pixel_accuracy",
    ]


def test_counting_by_hand():
    prediction = np.array([[1, 1, 0], [0, 1, 0]], bool)
    truth = np.array([[1, 0, 0], [1, 1, 0]], bool)
    assert count(prediction, truth) == Counts(tp=2, fp=1, fn=1, tn=2)


def test_counts_add_up():
    assert Counts(1, 2, 3, 4) + Counts(10, 20, 30, 40) == Counts(11, 22, 33, 44)


def test_masks_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        count(np.zeros((2, 3), bool), np.zeros((3, 2), bool))


def test_counts_do_not_overflow_on_the_largest_pictures():
    mask = np.ones((1, 1), bool)
    whole = Counts(tp=2**40) + count(mask, mask)
    assert whole.tp == 2**40 + 1
    assert jaccard(whole) == 1.0


masks = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda shape: st.tuples(arrays(np.bool_, shape), arrays(np.bool_, shape))
)


@given(masks)
def test_counts_and_figures_agree_with_scikit_learn(pair):
    prediction, truth = pair
    counts, p, t = count(prediction, truth), prediction.ravel(), truth.ravel()
    tn, fp, fn, tp = confusion_matrix(t, p, labels=[False, True]).ravel()
    assert (counts.tp, counts.fp, counts.fn, counts.tn) == (tp, fp, fn, tn)
    nothing_to_find = 0.0 if p.any() else 1.0
    expected = {
        "jaccard": jaccard_score(t, p, zero_division=1.0),
        "dice": f1_score(t, p, zero_division=1.0),
        "recall": recall_score(t, p, zero_division=1.0),
        "specificity": recall_score(~t, ~p, zero_division=1.0),
        "precision": precision_score(t, p, zero_division=0.0 if t.any() else nothing_to_find),
        "pixel_accuracy": accuracy_score(t, p),
    }
    for name, value in expected.items():
        assert FIGURES[name](counts) == pytest.approx(value, abs=1e-12), name


@given(masks)
def test_every_figure_is_between_zero_and_one_and_perfect_on_itself(pair):
    counts = count(*pair)
    assert all(0 <= figure(counts) <= 1 for figure in FIGURES.values())
    itself = count(pair[1], pair[1])
    assert all(figure(itself) == 1 for figure in FIGURES.values())


@given(masks)
def test_dice_is_a_function_of_jaccard(pair):
    counts = count(*pair)
    j = FIGURES["jaccard"](counts)
    assert FIGURES["dice"](counts) == pytest.approx(2 * j / (1 + j), abs=1e-12)
