"""The outline lies on the border of the lesion, and nowhere else."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from lesionctl.imaging.overlay import draw_outline, encode_overlay

SKIN = (220, 170, 150)


@pytest.fixture
def image():
    return np.full((200, 300, 3), SKIN, np.uint8)


@pytest.fixture
def mask():
    mask = np.zeros((200, 300), bool)
    mask[50:150, 100:200] = True
    return mask


def test_border_is_bright_green_and_the_rest_is_as_it_was(image, mask):
    drawn = draw_outline(image, mask)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    for row, column in [(50, 150), (149, 150), (100, 100), (100, 199)]:
        assert drawn[row, column].tolist() == [0, 255, 120]
    changed = (drawn != image).any(axis=-1)
    assert not changed[56:144, 106:194].any()  # inside, 6 pixels from the border
    assert not changed[:44].any()
    assert not changed[:, :94].any()


def test_colour_can_be_chosen(image, mask):
    assert draw_outline(image, mask, (86, 180, 233))[50, 150].tolist() == [86, 180, 233]


def test_dark_line_lies_on_both_sides(image, mask):
    column = draw_outline(image, mask)[40:60, 150].sum(axis=-1)
    bright = np.flatnonzero(column == 375)
    assert column[: bright[0]].min() < 100
    assert column[bright[-1] + 1 :].min() < 100


def test_given_picture_is_not_changed(image, mask):
    draw_outline(image, mask)
    assert (image == SKIN).all()


def test_empty_mask_draws_nothing(image):
    np.testing.assert_array_equal(draw_outline(image, np.zeros((200, 300), bool)), image)


def test_hole_has_an_outline_of_its_own(image, mask):
    mask[90:110, 140:160] = False
    assert (draw_outline(image, mask)[85:95, 150] == (0, 255, 120)).all(axis=-1).any()


def test_mask_at_another_scale_is_drawn_at_the_same_place(image, mask):
    np.testing.assert_array_equal(draw_outline(image, mask[::2, ::2]), draw_outline(image, mask))


def test_read_only_picture_can_be_drawn_on(image, mask):
    image.flags.writeable = False
    assert (draw_outline(image, mask) != image).any()


def test_encoded_overlay_is_a_jpeg_with_its_colours_in_order():
    image = np.full((20, 30, 3), (250, 10, 10), np.uint8)
    with Pillow.open(io.BytesIO(encode_overlay(image))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (30, 20))
        np.testing.assert_allclose(np.asarray(picture).reshape(-1, 3), np.tile((250, 10, 10), (600, 1)), atol=3)
