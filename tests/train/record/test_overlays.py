"""A sheet shows each picture with both outlines, in place, and is no wider than a screen."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from lesionctl.train.record.overlays import write_overlays

SKIN, TRUTH, PREDICTION = (220, 170, 150), (86, 180, 233), (240, 228, 66)
SIDE, MARGIN, HEAD, STRIP = 384, 12, 42, 24


def judged(size=96, dice=0.5):
    """A true square in the upper left quarter, a predicted one in the lower right."""
    truth, prediction = np.zeros((2, size, size), bool)
    truth[size // 8 : size // 4, size // 8 : size // 4] = True
    prediction[-size // 4 : -size // 8, -size // 4 : -size // 8] = True
    return np.full((size, size, 3), SKIN, np.uint8), truth, prediction, dice


def paint(path, pictures):
    write_overlays(path, "epoch 5", pictures)
    with Pillow.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture)


def where(sheet, colour):
    return np.argwhere((sheet == colour).all(axis=-1))


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (3, 3, 1), (5, 4, 2), (8, 4, 2), (11, 4, 2)])
def test_at_most_eight_pictures_lie_in_rows_of_four(tmp_path, count, columns, rows):
    sheet = paint(tmp_path / "overlays" / "epoch-005.png", [judged() for _ in range(count)])
    height = HEAD + MARGIN + rows * (SIDE + STRIP + MARGIN)
    assert sheet.shape == (height, MARGIN + columns * (SIDE + MARGIN), 3)
    assert sheet.shape[1] <= 1600


@pytest.mark.parametrize("size", [96, 384, 512])
def test_outlines_lie_where_the_masks_are_whatever_the_size(tmp_path, size):
    sheet = paint(tmp_path / "sheet.png", [judged(size)])
    picture = sheet[HEAD + MARGIN :][:SIDE, MARGIN : MARGIN + SIDE]
    for colour, low, high in ((TRUTH, SIDE // 8, SIDE // 4), (PREDICTION, SIDE * 3 // 4, SIDE * 7 // 8)):
        points = where(picture, colour)
        assert np.abs(points.min(axis=0) - low).max() <= 3
        assert np.abs(points.max(axis=0) - high).max() <= 3
    assert picture[SIDE // 2, SIDE // 2].tolist() == list(SKIN)


def test_legend_shows_both_colours_above_the_pictures(tmp_path):
    head = paint(tmp_path / "sheet.png", [judged()])[:HEAD]
    assert where(head, TRUTH)[:, 1].max() < where(head, PREDICTION)[:, 1].min()


def test_each_picture_has_its_own_dice_below_it(tmp_path):
    sheet = paint(tmp_path / "sheet.png", [judged(dice=0.913), judged(dice=0.913), judged(dice=0.204)])
    top = HEAD + MARGIN + SIDE
    first, second, third = (sheet[top : top + STRIP, MARGIN + k * (SIDE + MARGIN) :][:, :SIDE] for k in range(3))
    assert first.min() < 100
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()


def test_empty_masks_and_pictures_that_cannot_be_written_to_are_painted(tmp_path):
    image, _, _, _ = judged()
    image.flags.writeable = False
    nothing = np.zeros((96, 96), bool)
    sheet = paint(tmp_path / "sheet.png", [(image, nothing, nothing, 1.0)])
    assert (sheet[HEAD + MARGIN :][:SIDE, MARGIN : MARGIN + SIDE] == SKIN).all()
