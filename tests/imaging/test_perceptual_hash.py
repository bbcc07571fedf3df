"""Hashes follow the lesion: through light, framing and small turns, and apart from other lesions."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageOps

from lesionctl.imaging.frame import Frame
from lesionctl.imaging.perceptual_hash import BITS, hash_distances, perceptual_hash
from lesionctl.imaging.resize_rule import ResizeRule

UPRIGHT, TURNED, MIRRORED = range(3)


def square(picture, size=256, rule=ResizeRule.SQUASH):
    return Frame.fit(*picture.shape[:2], size, rule).shrink(picture)


def distances(first, second):
    """Upright, turned and mirrored, from whichever side is nearer."""
    one, other = perceptual_hash(first)[None], perceptual_hash(second)[None]
    return [
        min(int(a.item()), int(b.item()))
        for a, b in zip(hash_distances(one, other), hash_distances(other, one), strict=True)
    ]


def warp(picture, *, degrees=0.0, zoom=1.0, shift=0.0):
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, zoom)
    matrix[:, 2] += shift * width, -shift * height
    return cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)


def encode(picture):
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR)


@pytest.fixture(scope="module")
def pictures(demo):
    """Drawn pictures of nine lesions; without a tiny lesion, and without those that show a lesion once more."""
    files = sorted((demo / "images").iterdir())
    drawn = [np.asarray(ImageOps.exif_transpose(Pillow.open(file))) for file in files]
    return [picture for number, picture in enumerate(drawn) if number not in {3, 5, 10}]


def test_a_hash_is_four_views_of_128_bits(pictures):
    for picture in pictures:
        found = perceptual_hash(square(picture))
        assert found.dtype == np.uint64
        assert found.shape == (8,)
        assert found.any()


@pytest.mark.parametrize(
    ("name", "change", "bits"),
    [
        # Bits apart as measured, with room for other versions of what draws and decodes.
        ("encoded", encode, 8),  # 2
        (
            "half the size",
            lambda picture: cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
            8,
        ),  # 2
        ("brighter", lambda picture: cv2.convertScaleAbs(picture, alpha=1.15, beta=8), 10),  # 5
        ("darker", lambda picture: cv2.convertScaleAbs(picture, alpha=0.7), 8),  # 1
        ("redder", lambda picture: (picture * np.array([1, 0.9, 0.8])).astype(np.uint8), 8),  # 2
        ("shifted by 3 %", lambda picture: warp(picture, shift=0.03), 24),  # 17
        ("turned by 5 degrees", lambda picture: warp(picture, degrees=5), 30),  # 25
        ("cut by 10 %", lambda picture: warp(picture, zoom=1.1), 16),  # 8
    ],
)
def test_the_same_photograph_keeps_its_hash(pictures, name, change, bits):
    found = [distances(square(picture), square(change(picture)))[UPRIGHT] for picture in pictures]
    assert max(found) <= bits


def test_a_lesion_keeps_its_hash_when_it_is_photographed_from_nearer_by(pictures):
    for picture in pictures[:5]:  # the others fill the frame
        assert distances(square(picture), square(warp(picture, zoom=1.4)))[UPRIGHT] <= 24  # 18


def test_other_lesions_have_other_hashes(pictures):
    for number, picture in enumerate(pictures):
        for other in pictures[:number]:
            assert min(distances(square(picture), square(other))) >= 30  # 34


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (TURNED, lambda picture: picture[::-1, ::-1]),
        (MIRRORED, lambda picture: picture[:, ::-1]),
        (MIRRORED, lambda picture: picture[::-1]),
    ],
)
def test_turned_and_mirrored_pictures_are_known_by_their_hashes_alone(pictures, kind, change):
    for picture in map(square, pictures):
        found = distances(picture, np.ascontiguousarray(change(picture)))
        assert found[kind] <= 4  # 0
        assert found[UPRIGHT] >= 30


def test_black_bars_do_not_count(pictures):
    for picture in pictures:
        assert distances(square(picture), square(picture, rule=ResizeRule.PAD))[UPRIGHT] <= 8


def test_the_size_of_the_square_hardly_counts(pictures):
    for picture in pictures:
        assert distances(square(picture, 256), square(picture, 384))[UPRIGHT] <= 8


@pytest.mark.parametrize("size", [4, 64, 256])
@pytest.mark.parametrize("shade", [0, 5, 128, 255])
def test_a_uniform_picture_has_nothing_to_hash(size, shade):
    assert not perceptual_hash(np.full((size, size, 3), shade, np.uint8)).any()


def test_a_picture_that_varies_in_red_alone_has_nothing_to_hash():
    picture = np.full((64, 64, 3), 90, np.uint8)
    picture[:, ::2, 0] = 120
    assert not perceptual_hash(picture).any()


hashes = st.lists(st.integers(0, 2**64 - 1), min_size=8, max_size=8).map(lambda words: np.array(words, np.uint64))


@given(one=hashes, other=hashes)
def test_upright_distance_is_that_of_the_nearest_views(one, other):
    views, others = (np.unpackbits(found.view(np.uint8)).reshape(4, BITS) for found in (one, other))
    apart = (views[:, None] != others).sum(axis=-1)
    apart[1, 1] = BITS  # the second view is the first, turned: it is compared with the others only
    both = [hash_distances(*pair)[UPRIGHT].item() for pair in ((one[None], other[None]), (other[None], one[None]))]
    assert min(both) == apart.min()


@given(one=hashes)
def test_a_hash_is_no_distance_away_from_itself(one):
    assert hash_distances(one[None], one[None])[UPRIGHT].item() == 0


def test_every_hash_is_compared_with_every_other():
    generator = np.random.default_rng(0)
    some, others = (generator.integers(0, 2**64, (count, 8), np.uint64) for count in (3, 5))
    together = hash_distances(some, others)
    for kind in (UPRIGHT, TURNED, MIRRORED):
        assert together[kind].shape == (3, 5)
        assert together[kind].dtype == np.uint8
        one_by_one = [[hash_distances(a[None], b[None])[kind].item() for b in others] for a in some]
        assert together[kind].tolist() == one_by_one
