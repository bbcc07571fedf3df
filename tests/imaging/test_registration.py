"""Pictures are laid over each other by what is in them, and no single thing in both makes them alike."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from lesionctl.imaging.artefacts import add_dark_corners, add_ruler
from lesionctl.imaging.registration import find_landmarks, similarity

SIZE = 256


def warp(picture, *, degrees=0.0, zoom=1.0, shift=0.0):
    matrix = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), degrees, zoom)
    matrix[:, 2] += shift * SIZE, -shift * SIZE
    return cv2.warpAffine(picture, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REFLECT)


def alike(first, second, *, mirrored=False):
    return similarity(find_landmarks(first, mirrored=mirrored), find_landmarks(second))


@pytest.fixture(scope="module")
def pictures(demo):
    """Drawn pictures of ten lesions, squashed to squares of 256 pixels."""
    files = sorted((demo / "images").iterdir())
    drawn = [np.asarray(ImageOps.exif_transpose(Pillow.open(file))) for file in files]
    squares = [cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for picture in drawn]
    return [picture for number, picture in enumerate(squares) if number not in {5, 10}]


def test_landmarks_lie_in_the_picture(pictures):
    found = find_landmarks(pictures[0])
    assert found.grey.shape == (224, 224)
    assert found.places.shape == (len(found.descriptors), 2)
    assert found.descriptors.shape[1] == 32
    assert 50 < len(found.places) <= 300
    assert 0 <= found.places.min() <= found.places.max() < 224


def test_a_picture_is_similar_to_itself(pictures):
    for picture in pictures:
        assert alike(picture, picture) > 0.5  # 1 but for what may be noise, which is much of a smooth, dark picture


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: warp(picture, shift=0.03),
        lambda picture: warp(picture, degrees=8),
        lambda picture: warp(picture, degrees=90),
        lambda picture: warp(picture, zoom=1.6),
        lambda picture: cv2.resize(picture, (384, 384)),
        lambda picture: cv2.resize(picture, (96, 96), interpolation=cv2.INTER_AREA),
        lambda picture: cv2.convertScaleAbs(picture, alpha=0.7, beta=20),
        lambda picture: np.ascontiguousarray(picture[::-1, ::-1]),
    ],
)
def test_the_same_photograph_is_similar(pictures, change):
    for picture in pictures:
        assert alike(picture, change(picture)) > 0.15


def test_a_mirror_image_is_similar_once_it_is_mirrored(pictures):
    for picture in pictures:
        reflection = np.ascontiguousarray(picture[::-1])
        assert alike(picture, reflection, mirrored=True) > 0.2
        assert alike(picture, reflection) < 0.1


def test_other_lesions_are_not_similar(pictures):
    assert max(alike(first, second) for first in pictures for second in pictures if first is not second) < 0.1


@pytest.mark.parametrize("paint", [add_ruler, add_dark_corners])
def test_the_same_thing_on_two_lesions_does_not_make_them_similar(pictures, paint):
    painted = [paint(picture, np.random.default_rng(3)) for picture in pictures]
    assert max(alike(first, second) for first in painted for second in painted if first is not second) < 0.1


@pytest.mark.parametrize("size", [16, 64, SIZE])
def test_a_uniform_picture_is_not_even_similar_to_itself(size):
    picture = np.full((size, size, 3), 150, np.uint8)
    assert len(find_landmarks(picture).places) == 0
    assert alike(picture, picture) == 0.0
