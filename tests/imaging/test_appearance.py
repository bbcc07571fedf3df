"""Colours and skin tones, against values worked out by hand and against what was drawn."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy.stats import spearmanr

from lesionctl.imaging.appearance import SKIN_TONES, describe_colours, individual_typology_angle, skin_tone
from lesionctl.imaging.decode import decode
from lesionctl.imaging.frame import Frame
from lesionctl.imaging.masks import read_mask
from lesionctl.imaging.resize_rule import ResizeRule

SKIN, LESION, HALO = (225, 180, 160), (90, 45, 45), (250, 240, 120)


def paint(size=64, lesion=None, halo=None):
    """Skin with a square lesion and a square around it; each from a first to a last row and column."""
    image, mask = np.full((size, size, 3), SKIN, np.uint8), np.zeros((size, size), bool)
    for square, colour in ((halo, HALO), (lesion, LESION)):
        if square:
            image[slice(*square), slice(*square)] = colour
    if lesion:
        mask[slice(*lesion), slice(*lesion)] = True
    return image, mask


@pytest.mark.parametrize(
    ("lightness", "yellowness", "degrees"),
    [
        (70, 20, 45.0),  # arctan(20 / 20)
        (50, 15, 0.0),
        (50 + 10 * 3**0.5, 10, 60.0),
        (40, 10, -45.0),
        (30, 20 / 3**0.5, -60.0),
        (65, 0, 90.0),
    ],
)
def test_individual_typology_angle(lightness, yellowness, degrees):
    assert individual_typology_angle(lightness, yellowness) == pytest.approx(degrees)


@pytest.mark.parametrize(
    ("border", "above", "at"),
    [
        (55, "very light", "light"),
        (41, "light", "intermediate"),
        (28, "intermediate", "tan"),
        (10, "tan", "brown"),
        (-30, "brown", "dark"),
    ],
)
def test_skin_tones_at_their_borders(border, above, at):
    assert skin_tone(border + 1e-9) == above
    assert skin_tone(border) == at


def test_skin_tones_from_the_lightest_to_the_darkest():
    assert SKIN_TONES == ("very light", "light", "intermediate", "tan", "brown", "dark")
    assert tuple(skin_tone(angle) for angle in (60, 50, 35, 20, 0, -60)) == SKIN_TONES


@pytest.mark.parametrize("size", [16, 64, 320])
def test_colours_of_a_uniform_picture(size):
    look = describe_colours(np.full((size, size, 3), (51, 102, 204), np.uint8), np.zeros((size, size), bool))
    assert look.mean == (0.2, 0.4, 0.8)
    assert look.std == (0, 0, 0)
    assert look.lesion is None


def test_skin_in_cielab():
    # Grey 188 is 0.5029 of white in linear light: L* = 116 · 0.5029^(1/3) − 16 = 76.25.
    look = describe_colours(np.full((64, 64, 3), 188, np.uint8), np.zeros((64, 64), bool))
    assert look.skin == pytest.approx((76.25, 0, 0), abs=0.1)


def test_lesion_and_skin_are_told_apart_by_the_mask():
    skin = describe_colours(*paint()).skin
    lesion = describe_colours(np.full((64, 64, 3), LESION, np.uint8), np.ones((64, 64), bool)).lesion
    look = describe_colours(*paint(lesion=(20, 40)))
    assert look.skin == skin
    assert look.lesion == lesion


def test_halo_of_a_lesion_is_no_skin():
    # Five pixels around the lesion: 1100 of them, beside 496 of skin, would be the median.
    look = describe_colours(*paint(lesion=(7, 57), halo=(2, 62)))
    assert look.skin == describe_colours(*paint()).skin
    assert describe_colours(*paint(lesion=(5, 59))).skin is None
    assert describe_colours(*paint(lesion=(6, 58))).skin is not None  # one pixel is left on each side


@pytest.mark.parametrize("shade", [0, 30, 255])
def test_vignettes_and_reflections_are_no_skin(shade):
    image, mask = paint(lesion=(26, 38))
    image[:40] = np.where(mask[:40, :, None], image[:40], np.uint8(shade))  # the larger part of the rest
    assert describe_colours(image, mask).skin == describe_colours(*paint()).skin


def test_picture_without_skin_has_no_skin_tone():
    look = describe_colours(*paint(lesion=(0, 64)))
    assert look.skin is None
    assert look.ita is None
    assert look.lesion is not None


@pytest.mark.parametrize(("columns", "is_enough"), [(31, False), (32, True)])
def test_few_pixels_have_no_colour(columns, is_enough):
    image, mask = paint()
    mask[0, :columns] = True
    assert (describe_colours(image, mask).lesion is not None) is is_enough


def test_estimated_skin_tone_goes_with_the_drawn_one(demo):
    estimated, drawn = [], []
    for row in csv.DictReader((demo / "metadata.csv").open()):
        image = decode(demo / "images" / f"{row['image_id']}.jpg").image
        mask = read_mask(demo / "masks" / f"{row['image_id']}_segmentation.png")
        frame = Frame.fit(*mask.shape, 320, ResizeRule.SQUASH)
        angle = describe_colours(frame.shrink(image), frame.shrink_mask(mask)).ita
        if angle is not None:  # one lesion fills its picture
            estimated.append(angle)
            drawn.append(float(row["ita_degrees"]))
    assert len(drawn) == 11
    assert spearmanr(estimated, drawn).statistic > 0.8  # 0.86: light and vignettes change what was drawn
