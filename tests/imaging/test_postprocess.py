"""Post-processing does what it says, pixel by pixel as SciPy's labels and filling would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from lesionctl.imaging.postprocess import Postprocess

EIGHT = np.ones((3, 3), int)


def mask_of(*rows):
    return np.array([[pixel == "#" for pixel in row] for row in rows])


RING_AND_BAR = (
    ".......##",
    ".####..##",
    ".#..#..##",
    ".#..#..##",
    ".####..##",
    ".......##",
    "#......##",
)  # a ring of 12 around a hole of 4, a bar of 14, a single pixel: 63 in all


@pytest.mark.parametrize(
    ("postprocess", "pixels"),
    [
        (Postprocess(), 27),
        (Postprocess(largest_region=True), 14),  # the bar
        (Postprocess(fill_holes=True), 31),
        (Postprocess(largest_region=True, fill_holes=True), 16),  # the ring, which is the larger one once it is filled
        (Postprocess(smallest_area=1 / 63), 27),  # a region of just that area stays
        (Postprocess(smallest_area=1.01 / 63), 26),
        (Postprocess(smallest_area=13 / 63), 14),
        (Postprocess(smallest_area=15 / 63, fill_holes=True), 16),
        (Postprocess(smallest_area=0.5), 0),
        (Postprocess(smallest_area=0.5, largest_region=True), 0),
    ],
)
def test_worked_mask(postprocess, pixels):
    mask = mask_of(*RING_AND_BAR)
    before = mask.copy()
    result = postprocess.apply(mask)
    assert (result.dtype, result.shape, result.sum()) == (np.bool_, mask.shape, pixels)
    np.testing.assert_array_equal(mask, before)


def test_corners_join_lesion_and_do_not_join_background():
    diamond = mask_of(".#.", "#.#", ".#.")
    assert Postprocess(largest_region=True).apply(diamond).sum() == 4
    assert Postprocess(fill_holes=True).apply(diamond).sum() == 5


def test_background_that_reaches_the_border_is_no_hole():
    bay = mask_of("####", "#..#", "#.##", "#.##")
    np.testing.assert_array_equal(Postprocess(fill_holes=True).apply(bay), bay)


def test_what_lies_in_a_hole_is_another_region_until_the_hole_is_filled():
    target = mask_of("#####", "#...#", "#.#.#", "#...#", "#####")
    assert Postprocess(largest_region=True).apply(target).sum() == 16
    assert Postprocess(fill_holes=True).apply(target).sum() == 25


def test_of_equal_regions_the_first_one_stays():
    for rows in (("..#", "...", "#.."), ("#.#", "...", "#.#"), (".##.#", "....#")):
        result = Postprocess(largest_region=True).apply(mask_of(*rows))
        row, column = np.argwhere(mask_of(*rows))[0]
        assert result[row, column]
        assert ndimage.label(result, EIGHT)[1] == 1


@pytest.mark.parametrize("full", [False, True])
def test_empty_and_full_masks_stay_what_they_are(full):
    mask = np.full((5, 7), full)
    np.testing.assert_array_equal(Postprocess(True, True, 0.01).apply(mask), mask)


def test_area_is_a_share_of_the_picture_at_any_resolution():
    mask = mask_of(*RING_AND_BAR)
    fine = mask.repeat(8, 0).repeat(8, 1)
    postprocess = Postprocess(smallest_area=13 / 63)
    np.testing.assert_array_equal(postprocess.apply(fine), postprocess.apply(mask).repeat(8, 0).repeat(8, 1))


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(ValueError, match="no share of the picture"):
        Postprocess(smallest_area=share)


def by_labels(mask, postprocess):
    """The same by SciPy."""
    if postprocess.fill_holes:
        mask = ndimage.binary_fill_holes(mask)  # 4-connected background, as SciPy has it by default
    labels, number = ndimage.label(mask, EIGHT)
    areas = np.bincount(labels.ravel(), minlength=number + 1)
    kept = [label for label in range(1, number + 1) if areas[label] >= postprocess.smallest_area * mask.size]
    if postprocess.largest_region and kept:
        kept = [max(kept, key=lambda label: areas[label])]  # labels ascend in the order of first pixels
    return np.isin(labels, kept)


masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=14))
ways = st.builds(Postprocess, st.booleans(), st.booleans(), st.sampled_from([0.0, 0.02, 0.05, 0.1, 0.3]))


@given(masks, ways)
def test_any_mask_is_treated_as_by_labels(mask, postprocess):
    np.testing.assert_array_equal(postprocess.apply(mask), by_labels(mask, postprocess))


@pytest.mark.parametrize("seed", range(20))
def test_smooth_masks_are_treated_as_by_labels(seed):
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.random((90, 130)), rng.uniform(0.5, 4))
    mask = field > np.quantile(field, rng.uniform(0.2, 0.9))
    for postprocess in [
        Postprocess(True),
        Postprocess(False, True),
        Postprocess(True, True),
        Postprocess(smallest_area=0.01),
    ]:
        np.testing.assert_array_equal(postprocess.apply(mask), by_labels(mask, postprocess))
    done = Postprocess(True, True).apply(mask)
    np.testing.assert_array_equal(Postprocess(True, True).apply(done), done)


def test_what_two_do_both_is_the_lesser_of_them():
    assert Postprocess(True, True, 0.01) & Postprocess(False, True, 0.005) == Postprocess(False, True, 0.005)
    assert Postprocess(True) & Postprocess(False, True) == Postprocess()


@pytest.mark.parametrize(
    ("postprocess", "words"),
    [
        (Postprocess(), "none"),
        (Postprocess(True, True), "holes filled, largest region"),
        (Postprocess(False, False, 0.005), "regions below 0.005 of the picture dropped"),
    ],
)
def test_it_is_described_in_words(postprocess, words):
    assert postprocess.describe() == words
