"""The same lesion is found again, whatever was done to its picture; other lesions are left apart."""

from __future__ import annotations

from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from lesionctl.imaging.frame import Frame
from lesionctl.imaging.perceptual_hash import perceptual_hash
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.prepare import near_duplicates
from lesionctl.prepare.near_duplicates import find_near_duplicates
from lesionctl.progress import Silent

SIZE = 256


def find(images, **options):
    images = np.stack(images)
    return find_near_duplicates(np.stack([perceptual_hash(image) for image in images]), images, **options)


def rows(pairs):
    return [(pair.first, pair.second) for pair in pairs]


def square(picture, rule=ResizeRule.SQUASH):
    return Frame.fit(*picture.shape[:2], SIZE, rule).shrink(picture)


def shift(picture):
    height, width = picture.shape[:2]
    move = np.array([[1, 0, 0.03 * width], [0, 1, -0.03 * height]])
    return cv2.warpAffine(picture, move, (width, height), borderMode=cv2.BORDER_REFLECT)


def turn(picture):
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 5, 1)
    return cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)


def crop(picture):
    height, width = picture.shape[:2]
    return picture[height // 20 : -height // 20, width // 20 : -width // 20]


def encode(picture):
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR)


CHANGES = {
    "encoded": encode,
    "half the size": lambda picture: cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "shifted by 3 %": shift,
    "turned by 5 degrees": turn,
    "cut by 10 %": crop,
    "brighter": lambda picture: cv2.convertScaleAbs(picture, alpha=1.2, beta=10),
    "redder": lambda picture: (picture * np.array([1, 0.9, 0.8])).astype(np.uint8),
    "mirrored": lambda picture: np.ascontiguousarray(picture[:, ::-1]),
    "upside down": lambda picture: np.ascontiguousarray(picture[::-1]),
    "turned by 180 degrees": lambda picture: np.ascontiguousarray(picture[::-1, ::-1]),
}


@pytest.fixture(scope="module")
def pictures(demo):
    """Drawn pictures of nine lesions; without a tiny lesion, and without those that show a lesion once more."""
    files = sorted((demo / "images").iterdir())
    drawn = [np.asarray(ImageOps.exif_transpose(Pillow.open(file))) for file in files]
    return [picture for number, picture in enumerate(drawn) if number not in {3, 5, 10}]


@pytest.fixture(scope="module")
def mixed(pictures):
    """Squares of nine lesions, the first five once more: 14 pictures that make 5 pairs, (0, 9) to (4, 13)."""
    changed = [change(picture) for change, picture in zip(CHANGES.values(), pictures[:5], strict=False)]
    return [square(picture) for picture in [*pictures, *changed]]


PAIRS_OF_MIXED = [(0, 9), (1, 10), (2, 11), (3, 12), (4, 13)]


@pytest.mark.parametrize("name", CHANGES)
def test_the_same_photograph_is_found_whatever_was_done_to_it(pictures, name):
    again = [CHANGES[name](picture) for picture in pictures]
    pairs = find([square(picture) for picture in [*pictures, *again]])
    assert rows(pairs) == [(number, number + 9) for number in range(9)]
    assert all(0.3 < pair.similarity <= 1 for pair in pairs)


def test_a_padded_picture_is_found_beside_a_squashed_one(pictures):
    pairs = find([square(picture, rule) for rule in ResizeRule for picture in pictures])
    assert rows(pairs) == [(number, number + 9) for number in range(9)]


def test_other_lesions_are_left_apart(pictures):
    assert find([square(picture) for picture in pictures]) == []


def test_pictures_without_structure_are_left_apart():
    generator = np.random.default_rng(0)
    uniform = [np.full((SIZE, SIZE, 3), shade, np.uint8) for shade in (0, 0, 128, 128, 129, 255)]
    noisy = [(180 + generator.normal(0, 1.5, (SIZE, SIZE, 3))).astype(np.uint8) for _ in range(12)]
    slopes = [
        np.broadcast_to(np.linspace(start, 200, SIZE)[:, None, None], (SIZE, SIZE, 3)).astype(np.uint8)
        for start in (100, 110, 120)
    ]
    assert find([*uniform, *noisy, *slopes]) == []


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_pictures_make_no_pair(count):
    hashes = np.ones((count, 8), np.uint64)
    assert find_near_duplicates(hashes, np.zeros((count, 8, 8, 3), np.uint8)) == []


def test_pairs_come_in_ascending_order(mixed):
    assert rows(find(mixed)) == PAIRS_OF_MIXED


def test_the_order_of_the_pictures_does_not_matter(mixed):
    similarities = {(pair.first, pair.second): pair.similarity for pair in find(mixed)}
    order = np.random.default_rng(0).permutation(len(mixed))
    pairs = find([mixed[row] for row in order])
    assert rows(pairs) == sorted(rows(pairs))
    assert all(pair.first < pair.second for pair in pairs)
    back = {tuple(sorted(order[[pair.first, pair.second]].tolist())): pair.similarity for pair in pairs}
    assert back == similarities


@pytest.mark.parametrize(("block_rows", "block_columns"), [(1, 1), (3, 5), (100, 2)])
def test_the_size_of_the_blocks_does_not_matter(mixed, monkeypatch, block_rows, block_columns):
    expected = find(mixed)
    monkeypatch.setattr(near_duplicates, "_BLOCK_ROWS", block_rows)
    monkeypatch.setattr(near_duplicates, "_BLOCK_COLUMNS", block_columns)
    assert find(mixed) == expected


def test_pictures_are_read_from_a_memory_mapped_array(mixed, tmp_path):
    np.save(tmp_path / "images.npy", np.stack(mixed))
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    hashes = np.stack([perceptual_hash(image) for image in images])
    assert rows(find_near_duplicates(hashes, images)) == PAIRS_OF_MIXED


def test_many_pictures_of_a_lesion_are_held_together(pictures):
    shots = [square(np.roll(pictures[0], 6 * number, axis=1)) for number in range(12)]
    others = [square(picture) for picture in pictures[1:4]]
    held = {0}
    for first, second in rows(find([*shots, *others])) * 12:
        if held & {first, second}:
            held |= {first, second}
    assert held == set(range(12))


def test_far_more_likely_pairs_than_pictures_are_cut_to_the_nearest():
    # 40 hashes in 20 twins, 20 bits apart in every view; all are 30 bits from a common stem.
    generator = np.random.default_rng(0)
    hashes = np.repeat(generator.integers(0, 2**64, (20, 8), np.uint64), 2, axis=0)
    hashes[1::2] ^= np.uint64(0b1111111111)  # 10 of the 64 bits of each word
    pairs = near_duplicates._propose(hashes, Silent())
    assert {(first, second) for first, second, _ in pairs} >= {(row, row + 1) for row in range(0, 40, 2)}
    assert len(pairs) <= 40


def test_progress_hears_of_the_hashes_and_of_the_pictures(mixed):
    told = []

    class Listener(Silent):
        @contextmanager
        def task(self, description, total=None):
            told.append((description, total))
            with super().task(description, total) as task:
                yield task

    find(mixed, progress=Listener())
    assert [description for description, _ in told] == ["comparing hashes", "comparing pictures that look alike"]
    assert told[0][1] == 2  # blocks of 8 rows
    assert told[1][1] >= 5
