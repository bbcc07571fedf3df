"""Figures of probabilities: by hand, and against scikit-learn on probabilities rounded as the histogram rounds them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.calibration import calibration_curve
from sklearn.metrics import auc, average_precision_score, brier_score_loss, roc_auc_score, roc_curve

from lesionctl.scoring.probability import ProbabilityHistogram

BINS = 4096


def histogram_of(probability, truth):
    histogram = ProbabilityHistogram()
    histogram.update(np.atleast_2d(np.asarray(probability, np.float32)), np.atleast_2d(np.asarray(truth, bool)))
    return histogram


def random_pixels(n=40_000, seed=0, spread=1.0):
    """Levels 0 to 4095, float32 probabilities that are exactly these, and a truth that goes with them."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.3
    levels = np.round(4095 / (1 + np.exp(-spread * rng.normal(truth * 3.0 - 1.5, 1)))).astype(np.int64)
    return levels, (levels / 4095).astype(np.float32), truth


def bin_of(levels, bins):
    """The bin (m / bins, (m + 1) / bins] that a level's probability lies in, in whole numbers."""
    return [next(m for m in range(bins) if level * bins <= (m + 1) * 4095) for level in levels]


# By hand


@pytest.mark.parametrize(
    ("probability", "truth", "area"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 1.0),
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], 0.0),
        ([0.9, 0.2, 0.8, 0.1], [1, 1, 0, 0], 0.75),  # three of four pairs are in order
        ([0.5, 0.5, 0.5, 0.5], [1, 1, 0, 0], 0.5),  # a tie counts half
        ([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], 0.875),  # three and a half of four
        ([1.0, 0.0], [1, 0], 1.0),
    ],
)
def test_area_under_the_roc_curve_by_hand(probability, truth, area):
    histogram = histogram_of(probability, truth)
    assert histogram.roc_auc() == pytest.approx(area, abs=1e-12)
    fpr, tpr = histogram.roc_curve()
    assert np.trapezoid(tpr, fpr) == pytest.approx(area, abs=1e-12)


@pytest.mark.parametrize(
    ("probability", "truth", "precision"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 1.0),
        ([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0], 0.25),  # the share of lesion
        ([0.9, 0.8, 0.7, 0.6], [0, 0, 1, 1], 0.5 * 1 / 3 + 0.5 * 2 / 4),  # 0.4167
        ([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0], 0.5 * 1 + 0.5 * 2 / 3),  # 0.8333; straight lines would give 0.7917
    ],
)
def test_average_precision_by_hand(probability, truth, precision):
    assert histogram_of(probability, truth).average_precision() == pytest.approx(precision, abs=1e-12)


def test_curves_by_hand():
    histogram = histogram_of([0.9, 0.8, 0.8, 0.6, 0.1], [1, 0, 1, 0, 0])
    fpr, tpr = histogram.roc_curve()
    assert (fpr.tolist(), tpr.tolist()) == (pytest.approx([0, 0, 1 / 3, 2 / 3, 1]), pytest.approx([0, 0.5, 1, 1, 1]))
    recall, precision = histogram.precision_recall_curve()
    assert recall.tolist() == pytest.approx([0, 0.5, 1, 1, 1])
    assert precision.tolist() == pytest.approx([1, 1, 2 / 3, 2 / 4, 2 / 5])  # first as at the highest threshold


@pytest.mark.parametrize(
    ("probability", "truth", "brier", "error"),
    [
        ([1, 1, 0, 0], [1, 1, 0, 0], 0.0, 0.0),  # perfect
        ([0, 0, 1, 1], [1, 1, 0, 0], 1.0, 1.0),  # inverted
        ([0.2] * 5, [1, 0, 0, 0, 0], 0.16, 0.0),  # constant, and as often right as it says: 0.2 * 0.8
        ([0.8] * 5, [1, 0, 0, 0, 0], 0.52, 0.6),  # constant and too high: (0.04 + 4 * 0.64) / 5
    ],
)
def test_brier_score_and_calibration_error_by_hand(probability, truth, brier, error):
    histogram = histogram_of(probability, truth)  # 0.2 and 0.8 are levels: 819 and 3276 of 4095
    assert histogram.brier() == pytest.approx(brier, abs=1e-9)
    assert histogram.expected_calibration_error() == pytest.approx(error, abs=1e-9)


def test_reliability_by_hand():
    # Four bins. Nothing lies in (0.25, 0.5]; 0 is in the first bin.
    levels = np.array([0, 819, 819, 2457, 2457, 2457, 4095])  # 0, 0.2, 0.2, 0.6, 0.6, 0.6, 1
    histogram = histogram_of(levels / 4095, [0, 0, 1, 1, 1, 0, 1])
    found = histogram.reliability(4)
    assert found.pixels.tolist() == [3, 0, 3, 1]
    assert found.mean_probability.tolist() == pytest.approx([0.4 / 3, np.nan, 0.6, 1.0], nan_ok=True)
    assert found.observed.tolist() == pytest.approx([1 / 3, np.nan, 2 / 3, 1.0], nan_ok=True)
    # 3/7 of |1/3 - 0.4/3| = 0.2, 3/7 of |2/3 - 0.6| = 0.0667, 1/7 of 0: 0.1143
    assert histogram.expected_calibration_error(4) == pytest.approx(0.8 / 7)


def test_a_probability_at_an_edge_belongs_to_the_bin_below():
    # Of 15 bins every edge is a level: 273 m / 4095.
    found = histogram_of(np.array([273, 274, 546]) / 4095, [1, 1, 1]).reliability(15)
    assert found.pixels[:3].tolist() == [1, 2, 0]


def test_calibration_error_is_of_the_lesions_probability_and_not_of_the_likelier_class():
    # Both in bins of their own: |0 - 0.1| and |0 - 0.9|. As confidence in the likelier class both would be 0.9 and
    # right one time of two: 0.4.
    assert histogram_of([0.1, 0.9], [0, 0]).expected_calibration_error() == pytest.approx(0.5, abs=2e-4)


@pytest.mark.parametrize("truth", [[1, 1], [0, 0]])
def test_one_class_has_no_curves_but_a_calibration(truth):
    histogram = histogram_of([819 / 4095, 819 / 4095], truth)
    assert histogram.roc_curve() is None
    assert histogram.precision_recall_curve() is None
    error = 0.8 if truth[0] else 0.2
    expected = {"roc_auc": None, "average_precision": None, "brier": error**2, "expected_calibration_error": error}
    assert histogram.figures() == pytest.approx(expected)


def test_nothing_has_no_figures():
    histogram = ProbabilityHistogram()
    assert histogram.pixels == 0
    assert histogram.roc_curve() is None
    assert histogram.precision_recall_curve() is None
    assert histogram.reliability() is None
    assert list(histogram.figures().values()) == [None] * 4


# Against scikit-learn


@pytest.mark.parametrize("spread", [0.3, 1.0, 6.0], ids=["timid", "plain", "saturated"])
def test_figures_agree_with_scikit_learn(spread):
    levels, probability, truth = random_pixels(spread=spread)
    histogram = histogram_of(probability, truth)
    exact = levels / 4095
    assert histogram.roc_auc() == pytest.approx(roc_auc_score(truth, exact), abs=1e-12)
    assert histogram.roc_auc() == pytest.approx(auc(*roc_curve(truth, exact)[:2]), abs=1e-12)
    assert histogram.average_precision() == pytest.approx(average_precision_score(truth, exact), abs=1e-12)
    assert histogram.brier() == pytest.approx(brier_score_loss(truth, exact), abs=1e-12)
    places = np.array(bin_of(levels, 15))
    distances = [
        abs(truth[places == place].mean() - exact[places == place].mean()) * (places == place).mean()
        for place in np.unique(places)
    ]
    assert histogram.expected_calibration_error() == pytest.approx(sum(distances), abs=1e-12)


@pytest.mark.parametrize("bins", [7, 10, 15])
def test_reliability_agrees_with_scikit_learn(bins):
    levels, _, truth = random_pixels()
    levels = levels[levels * bins % 4095 != 0]  # scikit-learn rounds its edges: a level at one may go either way
    truth = truth[: len(levels)]
    found = histogram_of(levels / 4095, truth).reliability(bins)
    observed, mean = calibration_curve(truth, levels / 4095, n_bins=bins)
    full = found.pixels > 0
    assert found.observed[full].tolist() == pytest.approx(observed.tolist(), abs=1e-12)
    assert found.mean_probability[full].tolist() == pytest.approx(mean.tolist(), abs=1e-12)
    assert found.pixels.sum() == len(levels)


pixels = st.integers(2, 60).flatmap(
    lambda n: st.tuples(arrays(np.int64, n, elements=st.integers(0, 4095)), arrays(bool, n))
)


@given(pixels)
def test_few_pixels_agree_with_scikit_learn(pair):
    levels, truth = pair
    assume(truth.any() and not truth.all())
    histogram = histogram_of(levels / (BINS - 1), truth)
    assert histogram.roc_auc() == pytest.approx(roc_auc_score(truth, levels), abs=1e-12)
    assert histogram.average_precision() == pytest.approx(average_precision_score(truth, levels), abs=1e-12)
    fpr, tpr = histogram.roc_curve()
    recall, precision = histogram.precision_recall_curve()
    assert np.trapezoid(tpr, fpr) == pytest.approx(histogram.roc_auc(), abs=1e-12)
    assert np.dot(np.diff(recall), precision[1:]) == pytest.approx(histogram.average_precision(), abs=1e-12)


@pytest.mark.parametrize(("spread", "loss"), [(1.0, 1e-4), (3.0, 1e-3), (8.0, 1e-2)])
def test_rounding_costs_no_more_than_is_promised(spread, loss):
    rng = np.random.default_rng(1)
    truth = rng.random(200_000) < 0.3
    probability = (1 / (1 + np.exp(-spread * rng.normal(truth * 3.0 - 1.5, 1)))).astype(np.float32)
    histogram = histogram_of(probability, truth)
    shared = histogram.lesion / histogram.lesion.sum() @ (histogram.background / histogram.background.sum())
    assert abs(histogram.roc_auc() - roc_auc_score(truth, probability)) <= shared / 2
    assert histogram.average_precision() == pytest.approx(average_precision_score(truth, probability), abs=loss)
    assert histogram.brier() == pytest.approx(brier_score_loss(truth, probability), abs=1e-5)


# The curves


@pytest.mark.parametrize(("n", "spread"), [(200_000, 0.3), (40_000, 1.0), (3_000, 0.5), (40_000, 8.0)])
def test_thinned_curves_keep_their_ends_and_their_area(n, spread):
    _, probability, truth = random_pixels(n, spread=spread)
    histogram = histogram_of(probability, truth)
    fpr, tpr = histogram.roc_curve()
    recall, precision = histogram.precision_recall_curve()
    for curve in (fpr, tpr, recall, precision):
        assert curve.dtype == np.float64
        assert len(curve) <= 500
    for rising in (fpr, tpr, recall):
        assert (rising[0], rising[-1]) == (0, 1)
        assert (np.diff(rising) >= 0).all()
    assert precision[-1] == pytest.approx(truth.mean(), abs=1e-12)
    assert np.trapezoid(tpr, fpr) == pytest.approx(histogram.roc_auc(), abs=1e-3)
    assert np.dot(np.diff(recall), precision[1:]) == pytest.approx(histogram.average_precision(), abs=1e-3)


def test_thinning_keeps_long_steps():
    # Half of the lesion at once at the top, the rest in 4000 small steps: every thinning by index would move the step.
    levels = np.concatenate([np.full(4000, 4095), np.arange(1, 4001), np.arange(1, 4001)])
    histogram = histogram_of(levels / 4095, np.concatenate([np.ones(8000), np.zeros(4000)]))
    fpr, tpr = histogram.roc_curve()
    assert 200 < len(fpr) <= 500
    assert 0.5 in tpr[fpr == 0]
    assert np.abs(tpr - (0.5 + fpr / 2))[1:].max() < 1e-12  # every point is one of the curve


# Counting


def scattered(shape, seed=0):
    """Levels 0 to 4095, probabilities up to 0.49 of a level beside them, and any truth."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, BINS, shape)
    probability = np.clip((levels + rng.uniform(-0.49, 0.49, shape)) / 4095, 0, 1).astype(np.float32)
    return levels, probability, rng.random(shape) < 0.4


def test_probabilities_are_rounded_to_the_nearest_level():
    levels, probability, truth = scattered((50, 70))
    histogram = histogram_of(probability, truth)
    assert histogram.lesion.tolist() == np.bincount(levels[truth], minlength=BINS).tolist()
    assert histogram.background.tolist() == np.bincount(levels[~truth], minlength=BINS).tolist()


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (4, 4), (1, 700_000), (700_000, 1), (1030, 1024)])
@pytest.mark.parametrize("layout", ["plain", "turned", "part"])
def test_pictures_of_any_shape_and_layout_are_counted_whole(shape, layout):
    levels, probability, truth = scattered(shape)
    if layout == "turned":
        probability, truth = probability.T.copy().T, truth.T.copy().T
    elif layout == "part":
        probability, truth = np.pad(probability, 3)[3:-3, 3:-3], np.pad(truth, 3)[3:-3, 3:-3]
    histogram = histogram_of(probability, truth)
    assert histogram.pixels == truth.size
    assert histogram.lesion.sum() == truth.sum()
    assert np.arange(BINS) @ (histogram.lesion + histogram.background) == levels.sum()


def test_zero_and_one_have_levels():
    histogram = histogram_of([0.0, 1.0, 0.0, 1.0], [False, True, True, False])
    for counts in (histogram.lesion, histogram.background):
        assert (counts[0], counts[BINS - 1], counts.sum()) == (1, 1, 2)


def test_merging_is_adding():
    rng = np.random.default_rng(0)
    pictures = [(rng.random((5, 7), np.float32), rng.random((5, 7)) < 0.5) for _ in range(4)]
    one, merged = ProbabilityHistogram(), ProbabilityHistogram()
    for picture in pictures:
        one.update(*picture)
    for picture in pictures[::-1]:
        merged.merge(histogram_of(*picture))
    together = histogram_of(*(np.concatenate(parts) for parts in zip(*pictures, strict=True)))
    assert one.pixels == merged.pixels == together.pixels == 140
    assert one.figures() == merged.figures() == together.figures()


def test_a_large_picture_needs_little_memory_beside_itself():
    probability, truth = np.full((2000, 2000), 0.25, np.float32), np.ones((2000, 2000), bool)  # 16 MB and 4 MB
    histogram = ProbabilityHistogram()
    tracemalloc.start()
    histogram.update(probability, truth)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert histogram.pixels == 4_000_000
    assert peak < 4 * 2**20


def test_a_picture_without_an_answer_is_one_of_probability_0():
    truth = np.array([[True, True, False], [False, False, False]])
    nothing, zeros = ProbabilityHistogram(), ProbabilityHistogram()
    nothing.update_with_nothing(truth)
    zeros.update(np.zeros(truth.shape, np.float32), truth)
    assert nothing.figures() == zeros.figures()
    assert (nothing.lesion[0], nothing.background[0], nothing.pixels) == (2, 4, 6)
    assert nothing.brier() == pytest.approx(2 / 6)  # the lesion's pixels are all wrong
