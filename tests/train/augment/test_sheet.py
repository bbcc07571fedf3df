"""The sheet: a row per picture, the picture as it is first, the same for the same seed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lesionctl.dataset.store import open_store
from lesionctl.train.augment.recipe import read_recipe
from lesionctl.train.augment.sheet import paint_sheet


@pytest.fixture(scope="module")
def store(store_path):
    return open_store(store_path)


def decode(content):
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


def test_sheet_has_a_row_of_eight_for_each_of_six_pictures(store):
    sheet = decode(paint_sheet(store, read_recipe("standard"), 48, seed=0))
    assert sheet.shape == (18 + 6 * (48 + 4), 8 * (48 + 4), 3)


def test_same_seed_same_sheet(store):
    one, again, other = (paint_sheet(store, read_recipe("strong"), 32, seed) for seed in (3, 3, 4))
    assert one == again != other


def test_first_column_is_the_picture_and_the_outline_is_drawn(store):
    sheet = decode(paint_sheet(store, read_recipe("none"), 64, seed=1))[18:]
    tiles = sheet.reshape(6, 68, 8, 68, 3).transpose(0, 2, 1, 3, 4)
    for row in tiles:
        for view in row[1:]:  # without augmentation every view is the picture
            np.testing.assert_array_equal(view, row[0])
    green = (tiles[..., 1] > 200) & (tiles[..., 2] < 80)
    assert green.any(axis=(2, 3)).all()


def test_few_pictures_make_a_shorter_sheet(folded_path, store):
    few = open_store(folded_path).at_fold(0)
    rows = min(6, sum(sample.split == "train" for sample in few.samples))
    assert decode(paint_sheet(few, read_recipe("light"), 32, seed=0)).shape[0] == 18 + rows * 36
