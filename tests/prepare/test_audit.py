"""One pair: can it be used, and what is in it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from scipy import ndimage

from lesionctl.dataset.native_masks import unpack
from lesionctl.imaging.masks import encode_mask, read_mask
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.prepare.audit import AuditedPair, audit_pair, count_parts, findings_of, touched_borders
from lesionctl.prepare.findings import Kind
from lesionctl.prepare.sources import Record


def mask_of(*rows):
    return np.array([[pixel == "#" for pixel in row] for row in rows])


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        (("....", "...."), (0, 0)),
        (("####", "####"), (1, 0)),
        (("#..#", "#..#"), (2, 0)),
        (("#...", ".#..", "..#."), (1, 0)),  # lesion is connected over corners
        ((".#.", "#.#", ".#."), (1, 1)),  # so that this is closed
        (("#####", "#.#.#", "#####"), (1, 2)),
        (("######", "#.##.#", "##..##", "######"), (1, 3)),  # holes are connected over sides only
        (("#####", "#...#", "#.#.#", "#...#", "#####"), (2, 1)),  # an island in a hole
        (("###", "#.#", "#.#"), (1, 0)),  # open at the picture's edge
        ((".##", "###", "###"), (1, 0)),
    ],
)
def test_parts_and_holes(rows, parts):
    assert count_parts(mask_of(*rows)) == parts


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10**6), st.floats(0.1, 0.9))
def test_parts_and_holes_are_those_of_labelling(height, width, seed, density):
    mask = np.random.default_rng(seed).random((height, width)) < density
    around = np.pad(~mask, 1, constant_values=True)  # what is open at an edge is no hole
    expected = ndimage.label(mask, np.ones((3, 3)))[1], ndimage.label(around)[1] - 1
    assert count_parts(mask) == expected


@pytest.mark.parametrize(
    ("rows", "sides"),
    [
        (("...", ".#.", "..."), ()),
        ((".#.", "...", "..."), ("top",)),
        (("...", "...", "..#"), ("bottom", "right")),
        (("#..", "...", "..."), ("top", "left")),
        (("###", "###"), ("top", "bottom", "left", "right")),
    ],
)
def test_borders(rows, sides):
    assert touched_borders(mask_of(*rows)) == sides


@pytest.fixture
def pair(tmp_path, write_picture):
    """A pair of 61 × 83 pixels as a source lists it."""
    image, mask = write_picture(tmp_path, "A", 1, height=61, width=83)
    return Record("set", "A", image, mask)


def test_usable_pair_is_described_and_brought_to_size(pair):
    found = audit_pair(pair, 32, ResizeRule.PAD)
    mask = read_mask(pair.mask)
    assert (found.image.shape, found.image.dtype) == ((32, 32, 3), np.uint8)
    assert (found.mask.shape, found.mask.dtype) == ((32, 32), np.bool_)
    assert (found.image[:4] == 0).all()  # 24 of 32 rows are picture
    np.testing.assert_array_equal(unpack(found.native_mask, 61, 83), mask)
    about = found.examination
    assert (about.height, about.width) == (61, 83)
    assert about.lesion_fraction == round(mask.mean(), 6)
    assert (about.components, about.holes, about.borders) == (1, 0, ())
    assert about.sha256 == hashlib.sha256(pair.image.read_bytes()).hexdigest()
    assert about.mask_sha256 == hashlib.sha256(pair.mask.read_bytes()).hexdigest()
    assert about.perceptual_hash.dtype == np.uint64


def test_size_is_that_of_the_upright_picture(pair):
    exif = Pillow.Exif()
    exif[0x0112] = 6
    with Pillow.open(pair.image) as picture:
        picture.transpose(Pillow.Transpose.ROTATE_90).save(pair.image, exif=exif)
    found = audit_pair(pair, 16, ResizeRule.SQUASH)
    assert (found.examination.height, found.examination.width) == (61, 83)


def test_picture_decoded_at_a_smaller_scale_is_compared_at_its_own_size(tmp_path, write_picture):
    image, mask = write_picture(tmp_path, "A", 1, height=403, width=801)
    found = audit_pair(Record("set", "A", image, mask), 32, ResizeRule.SQUASH)
    assert (found.examination.height, found.examination.width) == (403, 801)


def save_grey(path, pixels):
    Pillow.fromarray(np.asarray(pixels, np.uint8)).save(path)


@pytest.mark.parametrize(
    ("spoil", "kind", "file", "detail"),
    [
        (lambda pair: pair.image.write_bytes(b""), Kind.UNUSABLE, "image", "the file is empty"),
        (lambda pair: pair.image.write_bytes(pair.image.read_bytes()[:-200]), Kind.UNUSABLE, "image", "cut off"),
        (lambda pair: pair.image.unlink(), Kind.UNUSABLE, "image", "cannot be read (No such file or directory)"),
        (lambda pair: pair.mask.unlink(), Kind.UNUSABLE, "mask", "cannot be read (No such file or directory)"),
        (lambda pair: (pair.mask.unlink(), pair.mask.mkdir()), Kind.UNUSABLE, "mask", "(Is a directory)"),
        (lambda pair: pair.mask.write_text("no mask"), Kind.UNUSABLE, "mask", "not a picture of a kind"),
        (
            lambda pair: save_grey(pair.mask, np.tile(np.arange(83), (61, 1))),
            Kind.UNUSABLE, "mask", "the mask is not binary: it holds 83 grey values from 0 to 82",
        ),
        (
            lambda pair: pair.mask.write_bytes(encode_mask(np.zeros((83, 61), bool))),
            Kind.SIZE_MISMATCH, "mask", "the mask is 61×83 pixels, its picture 83×61",
        ),
    ],
    ids=["empty", "cut", "no image", "no mask", "folder", "no picture", "grey", "other size"],
)  # fmt: skip
def test_pair_that_cannot_be_used_is_named_with_the_reason(pair, spoil, kind, file, detail):
    spoil(pair)
    found = audit_pair(pair, 16, ResizeRule.SQUASH)
    assert (found.kind, found.source, found.id, found.path) == (kind, "set", "A", getattr(pair, file))
    assert detail in found.detail


def test_grey_mask_is_taken_where_a_threshold_was_asked_for(pair):
    save_grey(pair.mask, np.tile(np.arange(83), (61, 1)))
    found = audit_pair(pair, 16, ResizeRule.SQUASH, binarise_at=40)
    assert isinstance(found, AuditedPair)
    assert found.examination.lesion_fraction == round(42 / 83, 6)  # 41 to 82


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (3, 7)])
@pytest.mark.parametrize("rule", ResizeRule)
def test_smallest_and_longest_pictures_are_usable(tmp_path, shape, rule):
    files = tmp_path / "A.png", tmp_path / "A_mask.png"
    Pillow.fromarray(np.full((*shape, 3), 180, np.uint8)).save(files[0])
    files[1].write_bytes(encode_mask(np.ones(shape, bool)))
    found = audit_pair(Record("set", "A", *files), 32, rule)
    assert (found.examination.height, found.examination.width) == shape
    np.testing.assert_array_equal(unpack(found.native_mask, *shape), np.ones(shape, bool))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (("....", "....", "...."), {Kind.EMPTY_MASK: "no pixel is lesion"}),
        (("####", "####", "####"), {Kind.FULL_MASK: "100.00% of the picture is lesion"}),
        ((".##.", ".##.", "...."), {Kind.TOUCHES_BORDER: "the lesion touches top"}),
        (("....", "##.#", "##.#"), {
            Kind.TOUCHES_BORDER: "the lesion touches bottom, left, right",
            Kind.SEVERAL_COMPONENTS: "the lesion has 2 parts",
        }),
        ((".....", ".###.", ".#.#.", ".###.", "....."), {Kind.HOLES: "1 hole"}),
        ((".......", ".#####.", ".#.#.#.", ".#####.", "......."), {Kind.HOLES: "2 holes"}),
        ((".....", ".##..", "....."), {}),
    ],
    ids=["empty", "full", "border", "parts and borders", "a hole", "holes", "nothing"],
)  # fmt: skip
def test_what_is_worth_a_look_in_a_mask(tmp_path, rows, expected):
    mask = mask_of(*rows)
    files = tmp_path / "A.png", tmp_path / "A_mask.png"
    Pillow.fromarray(np.full((*mask.shape, 3), 180, np.uint8)).save(files[0])
    files[1].write_bytes(encode_mask(mask))
    record = Record("set", "A", *files)
    found = findings_of(record, audit_pair(record, 16, ResizeRule.SQUASH).examination)
    assert {entry.kind: entry.detail for entry in found} == expected
    assert {(entry.source, entry.id, entry.path) for entry in found} <= {("set", "A", Path(files[1]))}
