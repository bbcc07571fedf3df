"""Whether two segmenters say the same: every figure of a comparison, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lesionctl.runtime.parity import Example, Parity, compare, draw_examples
from lesionctl.runtime.segmenter import Segmenter
from lesionctl.runtime.tolerance import TOLERANCES, Storage, Tolerance


class Fixed(Segmenter):
    """Says the same probabilities of whatever it sees, one after the other."""

    def __init__(self, spec, *answers):
        self.spec = spec
        self.answers = [np.asarray(answer, np.float32) for answer in answers]

    def forward(self, batch):
        return self.answers.pop(0)[None]


@pytest.fixture
def spec(tiny_spec):
    """Squares of 10 pixels, of which the upper half is the lesion."""
    return replace(tiny_spec, size=10, threshold=0.5)


HALF = np.repeat([0.8, 0.2], 5)[:, None].repeat(10, 1)
PICTURE = np.zeros((10, 10, 3), np.uint8)


def test_equal_answers_agree_wholly(spec):
    truth = HALF > 0.5
    parity = compare(Fixed(spec, HALF), Fixed(spec, HALF), [Example(PICTURE, truth)])
    assert parity == Parity(1, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0)
    assert all(parity.within(tolerance) for tolerance in TOLERANCES.values())


def test_figures_of_two_pictures(spec):
    other = HALF.copy()
    other[0] = 0.3  # a row of five leaves the mask: 2 · 40 / (50 + 40)
    examples = [Example(PICTURE), Example(PICTURE)]
    parity = compare(Fixed(spec, HALF, HALF), Fixed(spec, HALF, other), examples)
    assert parity.pictures == 2
    assert parity.largest_difference == pytest.approx(0.5)
    assert parity.quantile_difference == pytest.approx(0.5)  # one pixel in twenty
    assert parity.mean_difference == pytest.approx(0.025)
    assert parity.smallest_dice == pytest.approx(80 / 90)
    assert parity.mean_dice == pytest.approx((1 + 80 / 90) / 2)
    assert parity.original_truth_dice is parity.copy_truth_dice is None


def test_a_single_pixel_in_a_thousand_is_not_the_bulk(spec):
    large = replace(spec, size=100)
    flat = np.full((100, 100), 0.2)
    other = flat + 0.001
    other[0, 0] = 0.9
    parity = compare(Fixed(large, flat), Fixed(large, other), [Example(PICTURE)])
    assert parity.largest_difference == pytest.approx(0.7)
    assert parity.quantile_difference == pytest.approx(0.001, abs=1e-4)


def test_what_is_no_number_is_as_far_as_can_be(spec):
    parity = compare(Fixed(spec, HALF), Fixed(spec, HALF * np.nan), [Example(PICTURE)])
    assert parity.largest_difference == parity.quantile_difference == 1.0
    assert not any(parity.within(tolerance) for tolerance in TOLERANCES.values())


def test_dice_against_the_truth_of_both(spec):
    truth = HALF > 0.5
    parity = compare(Fixed(spec, HALF), Fixed(spec, 1 - HALF), [Example(PICTURE, truth)])
    assert (parity.original_truth_dice, parity.copy_truth_dice) == (1.0, 0.0)
    assert "Dice against the truth 0.0000, the original's 1.0000" in parity.describe()


@pytest.mark.parametrize(
    ("figures", "within"),
    [
        ((0.02, 0.01, 0.99, 0.995), True),
        ((0.03, 0.01, 0.99, 0.995), False),
        ((0.02, 0.02, 0.99, 0.995), False),
        ((0.02, 0.01, 0.98, 0.995), False),
        ((0.02, 0.01, 0.99, 0.99), False),
    ],
)
def test_tolerance(figures, within):
    largest, quantile, smallest, mean = figures
    tolerance = Tolerance(quantile=0.01, mean_dice=0.995, largest=0.02, smallest_dice=0.99)
    assert Parity(1, largest, quantile, 0.0, smallest, mean).within(tolerance) is within


@pytest.mark.parametrize(
    ("smallest_dice", "within"),
    [(0.97, ["bf16", "int8"]), (0.81, ["int8"]), (0.4, [])],
    ids=["bf16", "int8", "wrecked"],
)
def test_formats_that_round_the_computation_may_move_pixels_but_wreck_no_picture(smallest_dice, within):
    parity = Parity(200, 0.6, 0.01, 0.001, smallest_dice, 0.999)
    assert [storage for storage in Storage if parity.within(TOLERANCES[storage])] == within


def test_drawn_pictures_are_always_the_same():
    first, second = draw_examples(2), draw_examples(2)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
