"""The threshold search finds what trying every threshold would find."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lesionctl.scoring.counts import count
from lesionctl.scoring.overlap import jaccard
from lesionctl.scoring.threshold import ThresholdSearch

THRESHOLDS = [k / 100 for k in range(1, 100)]


def search(*pictures):
    threshold_search = ThresholdSearch()
    for probability, truth in pictures:
        threshold_search.update(np.asarray(probability, np.float32), np.asarray(truth, bool))
    return threshold_search.best()


def mean_jaccards(pictures):
    """By brute force, with the comparison that makes masks."""
    return np.array([np.mean([jaccard(count(p > t, truth)) for p, truth in pictures]) for t in THRESHOLDS])


@pytest.mark.parametrize(
    ("probability", "truth", "expected"),
    [
        ([[0.8, 0.2]], [[1, 0]], 0.5),  # 0.20 to 0.79 are all right; the middle
        ([[0.8, 0.605]], [[1, 0]], 0.7),  # 0.61 to 0.79
        ([[0.305, 0.105]], [[1, 0]], 0.21),  # 0.11 to 0.30: of twenty the eleventh
        ([[0.9, 0.9]], [[1, 1]], 0.45),  # 0.01 to 0.89
        ([[0.3, 0.3]], [[0, 0]], 0.65),  # 0.30 to 0.99 leave the empty mask empty: of seventy the 36th
    ],
)
def test_middle_of_the_best_by_hand(probability, truth, expected):
    assert search((probability, truth)) == pytest.approx(expected, abs=1e-9)


pictures = st.lists(
    st.tuples(arrays(np.int64, (3, 4), elements=st.integers(0, 1024)), arrays(np.bool_, (3, 4))), min_size=1, max_size=4
)


@given(pictures)
def test_no_threshold_is_better(drawn):
    scored = [((levels / 1024).astype(np.float32), truth) for levels, truth in drawn]
    means = mean_jaccards(scored)
    best = search(*scored)
    assert means[round(best * 100) - 1] == pytest.approx(means.max(), abs=1e-12)


@pytest.mark.parametrize("side", [0, 1], ids=["at", "just above"])
def test_probabilities_at_a_threshold_fall_as_in_a_mask(side):
    wrong = []
    for threshold in THRESHOLDS[1:]:
        probability = np.float32(threshold)
        if side:
            probability = np.nextafter(probability, np.float32(1))
        # The last good threshold is this one or the one below; of these two pictures' middles, one shows which.
        for background in (0.0, 0.015):
            picture = np.array([[probability, background]], np.float32), np.array([[True, False]])
            means = mean_jaccards([picture])
            winners = np.flatnonzero(means == means.max())
            if search(picture) != THRESHOLDS[winners[len(winners) // 2]]:
                wrong.append(threshold)
    assert wrong == []


def test_mean_is_over_pictures_and_not_over_pixels():
    # A large picture that wants 0.60 to 0.89 and two small ones that want 0.10 to 0.29: the small ones win.
    large = (np.array([[0.9] * 50 + [0.6] * 50]), np.array([[1] * 50 + [0] * 50]))
    small = (np.array([[0.3, 0.1]]), np.array([[1, 0]]))
    assert 0.1 <= search(large, small, small) < 0.3


def test_search_without_pictures_is_refused():
    with pytest.raises(ValueError, match="a threshold needs pictures"):
        ThresholdSearch().best()
