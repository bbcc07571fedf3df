"""ROC AUC from histograms: by hand, and against scikit-learn on probabilities rounded as the bins are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from lesionctl.scoring.roc import ProbabilityHistogram

BINS = 4096


def auc(probability, truth):
    histogram = ProbabilityHistogram()
    histogram.update(np.asarray(probability, np.float32), np.asarray(truth, bool))
    return histogram.roc_auc()


@pytest.mark.parametrize(
    ("probability", "truth", "expected"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 1.0),
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], 0.0),
        ([0.9, 0.2, 0.8, 0.1], [1, 1, 0, 0], 0.75),  # three of four pairs are in order
        ([0.5, 0.5, 0.5, 0.5], [1, 1, 0, 0], 0.5),  # a tie counts half
        ([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], 0.875),  # three and a half of four
        ([1.0, 0.0], [1, 0], 1.0),
    ],
)
def test_area_by_hand(probability, truth, expected):
    assert auc([probability], [truth]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("truth", [[1, 1], [0, 0]])
def test_there_is_no_area_with_one_class(truth):
    assert auc([[0.2, 0.7]], [truth]) is None


def test_there_is_no_area_of_nothing():
    assert ProbabilityHistogram().roc_auc() is None


@given(
    st.integers(2, 60).flatmap(lambda n: st.tuples(arrays(np.int64, n, elements=st.integers(0, 4095)), arrays(bool, n)))
)
def test_agrees_with_scikit_learn_on_quantised_probabilities(pair):
    levels, truth = pair
    assume(truth.any() and not truth.all())
    probability = (levels / (BINS - 1)).astype(np.float32)
    assert auc(probability[None], truth[None]) == pytest.approx(roc_auc_score(truth, levels), abs=1e-12)


def test_any_probabilities_agree_with_scikit_learn_to_a_bins_width():
    rng = np.random.default_rng(0)
    truth = rng.random((100, 200)) < 0.3
    probability = (1 / (1 + np.exp(-rng.normal(truth * 1.5, 1)))).astype(np.float32)
    assert auc(probability, truth) == pytest.approx(roc_auc_score(truth.ravel(), probability.ravel()), abs=1e-5)


def test_pictures_are_pooled_in_any_order():
    rng = np.random.default_rng(0)
    pictures = [(rng.random((5, 7), np.float32), rng.random((5, 7)) < 0.5) for _ in range(4)]
    histograms = [ProbabilityHistogram(), ProbabilityHistogram()]
    for histogram, order in zip(histograms, (pictures, pictures[::-1]), strict=True):
        for picture in order:
            histogram.update(*picture)
    together = auc(*(np.concatenate(parts) for parts in zip(*pictures, strict=True)))
    assert histograms[0].roc_auc() == histograms[1].roc_auc() == together


def test_zero_and_one_are_bins():
    histogram = ProbabilityHistogram()
    histogram.update(np.array([[0.0, 1.0]], np.float32), np.array([[False, True]]))
    assert (histogram.background[0], histogram.lesion[BINS - 1]) == (1, 1)
    assert histogram.background.sum() == histogram.lesion.sum() == 1
