"""Counts of pixels: by hand, of any kind of array that is a mask, and against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lesionctl.scoring.counts import Counts, count


def test_counting_by_hand():
    prediction = np.array([[1, 1, 0], [0, 1, 0]], bool)
    truth = np.array([[1, 0, 0], [1, 1, 0]], bool)
    assert count(prediction, truth) == Counts(tp=2, fp=1, fn=1, tn=2)


def test_counts_add_up():
    assert Counts(1, 2, 3, 4) + Counts(10, 20, 30, 40) == Counts(11, 22, 33, 44)


def test_masks_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        count(np.zeros((2, 3), bool), np.zeros((3, 2), bool))


def test_counts_are_plain_numbers_that_do_not_overflow():
    mask = np.ones((1, 1), bool)
    whole = Counts(tp=2**40) + count(mask, mask)
    assert whole.tp == 2**40 + 1
    assert {type(value) for value in (whole.tp, whole.fp, whole.fn, whole.tn)} == {int}


def test_every_pixel_of_a_large_picture_is_counted():
    truth = np.zeros((6000, 5200), bool)  # 31.2 megapixels
    assert count(~truth, truth) == Counts(fp=31_200_000)


masks = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
    lambda shape: st.tuples(arrays(np.bool_, shape), arrays(np.bool_, shape))
)


@given(masks, st.sampled_from(["as it is", "turned", "mirrored", "part", "read-only"]))
def test_any_view_of_masks_is_counted(pair, view):
    see = {
        "as it is": lambda mask: mask,
        "turned": lambda mask: mask.T,
        "mirrored": lambda mask: mask[::-1, ::-1],
        "part": lambda mask: mask[::2, mask.shape[1] // 3 :],
        "read-only": lambda mask: np.frombuffer(mask.tobytes(), np.bool_).reshape(mask.shape),
    }[view]
    prediction, truth = map(see, pair)
    expected = [np.count_nonzero(a & b) for a, b in ((prediction, truth), (prediction, ~truth), (~prediction, truth))]
    counts = count(prediction, truth)
    assert [counts.tp, counts.fp, counts.fn] == expected
    assert counts.tn == truth.size - sum(expected)
