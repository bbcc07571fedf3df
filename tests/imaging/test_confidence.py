"""Confidence: the lesion's area as a share of itself and of what is undecided."""

from __future__ import annotations

import numpy as np
import pytest

from lesionctl.imaging.confidence import confidence


def probabilities(lesion, undecided, side=20):
    """`lesion` pixels at 1, `undecided` at one half, the rest at 0."""
    flat = np.zeros(side * side, np.float32)
    flat[:lesion] = 1
    flat[lesion : lesion + undecided] = 0.5
    return flat.reshape(side, side)


@pytest.mark.parametrize(
    ("lesion", "undecided", "expected"),
    [(100, 0, 1.0), (100, 100, 0.5), (100, 25, 0.8), (30, 270, 0.1)],
)
def test_a_pixel_that_may_as_well_be_lesion_as_skin_weighs_as_much_as_one_of_the_lesion(lesion, undecided, expected):
    probability = probabilities(lesion, undecided)
    assert confidence(probability, probability > 0.5) == pytest.approx(expected, abs=1e-3)


def test_entropy_is_in_bits():
    probability = np.full((10, 10), 0.11, np.float32)  # half a bit each: H(0.11) = 0.4999
    mask = np.zeros((10, 10), bool)
    mask[:5] = True
    assert confidence(probability, mask) == pytest.approx(50 / (50 + 100 * 0.4999), abs=1e-4)


def test_it_is_the_same_at_any_scale():
    probability = probabilities(90, 60)
    larger = np.kron(probability, np.ones((3, 3), np.float32))
    assert confidence(larger, larger > 0.5) == pytest.approx(confidence(probability, probability > 0.5))


def test_nothing_found_is_no_confidence_and_all_of_the_picture_may_be():
    assert confidence(np.zeros((8, 8), np.float32), np.zeros((8, 8), bool)) == 0
    assert confidence(np.ones((8, 8), np.float32), np.ones((8, 8), bool)) == pytest.approx(1, abs=1e-4)
