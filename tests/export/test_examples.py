"""The pictures that an exported model is fitted to and compared on, and their masks."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from lesionctl.errors import BadFile, UsageError
from lesionctl.export.examples import find_masks, read_examples, share_out


@pytest.fixture
def images(write_pair, tmp_path):
    """Three pictures of 80 × 60; their masks are in masks/."""
    paths = [tmp_path / f"images/{number}.png" for number in range(3)]
    for path in paths:
        write_pair(path, tmp_path / f"masks/{path.stem}_segmentation.png")
    return paths


@pytest.fixture
def masks(images, tmp_path):
    """Their folder."""
    return tmp_path / "masks"


@pytest.mark.parametrize(
    ("number", "fitted", "apart"), [(16, 16, False), (31, 31, False), (32, 16, True), (100, 50, True), (1000, 64, True)]
)
def test_pictures_are_shared_out(number, fitted, apart):
    pictures = tuple(Path(f"{index}.png") for index in range(number))
    shares = share_out(pictures)
    assert (len(shares.calibration), shares.are_apart) == (fitted, apart)
    if not apart:
        assert shares.calibration == shares.compared == pictures
    else:
        assert sorted(shares.calibration + shares.compared) == sorted(pictures)
        steps = np.diff([int(path.stem) for path in shares.calibration])
        assert steps.max() - steps.min() <= 1  # evenly


def test_each_picture_comes_with_its_mask(images, masks):
    examples = list(read_examples(images, find_masks(images, masks)))
    assert [example.image.shape for example in examples] == [(60, 80, 3)] * 3
    assert all(example.truth.mean() == pytest.approx(np.pi * 15**2 / (60 * 80), rel=0.02) for example in examples)


def test_masks_have_to_be_those_of_the_pictures(images, masks, write_pair, tmp_path):
    write_pair(tmp_path / "other.png", masks / "1_segmentation.png", width=81)
    with pytest.raises(BadFile, match=r"1_segmentation.png: is 81 × 60, its picture .*1.png is 80 × 60"):
        list(read_examples(images, find_masks(images, masks)))
    (masks / "1_segmentation.png").unlink()
    with pytest.raises(UsageError, match=r"has no mask for 1 of 3 pictures, such as .*1\.png") as caught:
        find_masks(images, masks)
    assert caught.value.hint == "a mask is named after its picture: 1_segmentation.png"
    shutil.copy(masks / "0_segmentation.png", masks / "0_mask.png")
    with pytest.raises(UsageError, match="are masks of the same picture"):
        find_masks(images[:1], masks)
