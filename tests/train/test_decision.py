"""Threshold and post-processing are chosen by what they gain, and post-processing only where it gains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lesionctl.imaging.postprocess import Postprocess
from lesionctl.scoring.counts import count
from lesionctl.scoring.overlap import jaccard
from lesionctl.train import decision as module
from lesionctl.train.decision import CANDIDATES, choose_decision

SIDE = 40


class Predictions:
    """Gives the same pictures at each call, and counts the calls."""

    def __init__(self, *pictures):
        self.pictures = [(np.asarray(p, np.float32), np.asarray(t, bool)) for p, t in pictures]
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return iter(self.pictures)


def square(first, last, value=0.9, on=0.1):
    probability = np.full((SIDE, SIDE), on, np.float32)
    probability[first:last, first:last] = value
    return probability


def mean_jaccard(pictures, threshold, postprocess):
    return np.mean([jaccard(count(postprocess.apply(p > threshold), t)) for p, t in pictures])


def test_where_post_processing_gains_nothing_there_is_none():
    predictions = Predictions(*[(square(10, last), square(10, last) > 0.5) for last in (20, 30)])
    decision = choose_decision(predictions)
    assert (decision.threshold, decision.postprocess) == (0.5, Postprocess())  # 0.10 to 0.89 are all right
    assert decision.scores == decision.baseline
    assert decision.scores["jaccard"] == 1


@pytest.mark.parametrize(("room", "calls"), [(10 * 5 * SIDE**2, 1), (10 * 5 * SIDE**2 - 1, 3)])
def test_pictures_are_kept_where_all_fit_and_asked_for_again_where_not(monkeypatch, room, calls):
    monkeypatch.setattr(module, "_KEPT_BYTES", room)  # 4 bytes of probability and one of truth for each pixel
    predictions = Predictions(*[(with_speck(square(10, 30), 8), square(10, 30) > 0.5)] * 10)
    decision = choose_decision(predictions)
    assert predictions.calls == calls
    assert (decision.postprocess, decision.scores["jaccard"]) == (Postprocess(largest_region=True), 1)


def with_speck(probability, size, value=0.9):
    speckled = probability.copy()
    speckled[1 : 1 + size, 1 : 1 + size] = value
    return speckled


def with_hole(probability, size):
    holed = probability.copy()
    holed[14 : 14 + size, 14 : 14 + size] = 0.1
    return holed


@pytest.mark.parametrize(
    ("spoil", "postprocess", "without"),
    [
        (lambda p: with_hole(p, 5), Postprocess(fill_holes=True), 375 / 400),
        (lambda p: with_speck(p, 8), Postprocess(largest_region=True), 400 / 464),  # 4 % of the picture
        (lambda p: with_hole(with_speck(p, 8), 5), Postprocess(True, True), 375 / 464),
    ],
    ids=["holes", "specks", "both"],
)
def test_what_mends_the_masks_is_chosen(spoil, postprocess, without):
    truth = square(10, 30) > 0.5
    decision = choose_decision(Predictions((spoil(square(10, 30)), truth), (square(10, 30), truth)))
    assert decision.postprocess == postprocess
    assert decision.baseline["jaccard"] == pytest.approx((without + 1) / 2)
    assert decision.scores["jaccard"] == 1


def test_of_two_lesions_none_is_thrown_away_for_the_specks():
    two = with_speck(square(10, 30), 8)  # the small one is real
    specks = with_hole(two, 5)
    specks[36:38, 36:38] = 0.9  # 4 pixels of 1600
    decision = choose_decision(Predictions((specks, two > 0.5)))
    assert decision.postprocess == Postprocess(fill_holes=True, smallest_area=0.005)  # 8 pixels; 0.001 would be 1.6
    assert decision.scores["jaccard"] == 1


def test_a_lower_threshold_is_found_where_post_processing_allows_it():
    # Half of the lesion is at 0.42, as is a large speck: without post-processing the threshold has to leave both out.
    probability = square(10, 30, value=0.42, on=0.05)
    probability[10:30, 10:24] = 0.9
    probability = with_speck(probability, 8, value=0.46)
    probability[32:40, 32:40] = 0.46
    truth = square(10, 30) > 0.5
    decision = choose_decision(Predictions((probability, truth), (square(10, 30, value=0.52), truth)))
    assert decision.postprocess == Postprocess(largest_region=True)
    assert decision.threshold < 0.42
    assert decision.baseline["jaccard"] < 0.9
    assert decision.scores["jaccard"] == 1


smooth = arrays(np.int64, (8, 9), elements=st.integers(0, 20)).map(lambda levels: (levels / 20).astype(np.float32))


@settings(max_examples=25)
@given(st.lists(st.tuples(smooth, arrays(np.bool_, (8, 9))), min_size=1, max_size=3))
def test_a_decision_is_never_worse_than_none_and_its_scores_are_true(drawn):
    decision = choose_decision(lambda: drawn)
    assert decision.scores["jaccard"] == pytest.approx(mean_jaccard(drawn, decision.threshold, decision.postprocess))
    assert decision.scores["jaccard"] >= decision.baseline["jaccard"]
    alone = max(mean_jaccard(drawn, k / 100, Postprocess()) for k in range(1, 100))
    assert decision.baseline["jaccard"] == pytest.approx(alone)
    if decision.postprocess != Postprocess():
        assert decision.scores["jaccard"] > alone


def test_the_simplest_is_tried_first():
    assert CANDIDATES[0] == Postprocess()
    assert len(set(CANDIDATES)) == len(CANDIDATES)


def test_no_pictures_are_refused():
    with pytest.raises(ValueError, match="needs pictures"):
        choose_decision(list)
