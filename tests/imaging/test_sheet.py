"""Pictures lie where they should, and what is written on a sheet stays within it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from lesionctl.imaging.sheet import add_caption, encode_sheet, tile, write

RED, BLUE = (200, 0, 0), (0, 0, 200)


def flat(height, width, colour):
    return np.full((height, width, 3), colour, np.uint8)


def test_cells_are_as_large_as_the_largest_picture_and_the_rest_is_white():
    sheet = tile([[flat(20, 30, RED), flat(10, 10, BLUE)], [flat(10, 10, BLUE)]], margin=4)
    assert sheet.shape == (4 + 2 * 24, 4 + 2 * 34, 3)
    expected = np.full_like(sheet, 255)
    expected[4:24, 4:34] = RED
    expected[4:14, 38:48] = BLUE
    expected[28:38, 4:14] = BLUE
    np.testing.assert_array_equal(sheet, expected)


@pytest.mark.parametrize("text", ["Dice 0.913", "a caption that is a good deal longer than the picture"])
def test_caption_hides_nothing_and_is_dark_on_white(text):
    image = flat(96, 128, RED)
    captioned = add_caption(image, text)
    assert captioned.shape == (96 + 16, 128, 3)  # letters of 8 pixels in a strip of 16
    np.testing.assert_array_equal(captioned[:96], image)
    strip = captioned[96:]
    assert strip.min() < 100
    assert (strip == 255).all(axis=-1).mean() > 0.5
    assert (strip[:2] == 255).all()
    assert (strip[:, -1] == 255).all()  # the last letter ends within the picture


def test_written_line_begins_and_ends_where_it_is_said():
    canvas = flat(60, 300, (255, 255, 255))
    end = write(canvas, "truth", (40, 40), 20)
    columns = np.flatnonzero((canvas != 255).any(axis=(0, 2)))
    assert 38 <= columns[0] <= 46
    assert end - 8 <= columns[-1] <= end + 2


def test_sheet_becomes_a_png_with_its_colours_in_order():
    with Pillow.open(io.BytesIO(encode_sheet(flat(20, 30, (250, 10, 20))))) as picture:
        assert (picture.format, picture.size) == ("PNG", (30, 20))
        assert picture.getpixel((5, 5)) == (250, 10, 20)
