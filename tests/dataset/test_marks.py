"""What this program made is known again by its content, and its pixels are as they were."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from lesionctl.dataset.marks import Made, mark, mark_of
from lesionctl.imaging.mask_form import MaskForm
from lesionctl.imaging.masks import encode_mask, read_mask
from lesionctl.imaging.overlay import encode_overlay

MASK = np.eye(21, 13, dtype=bool)
COLOURS = np.arange(21 * 13 * 3, dtype=np.uint8).reshape(21, 13, 3)


@pytest.mark.parametrize("made", Made)
@pytest.mark.parametrize("content", [*(encode_mask(MASK, form) for form in MaskForm), encode_overlay(COLOURS)])
def test_a_mark_is_found_and_changes_no_pixel(tmp_path, content, made):
    (tmp_path / "m").write_bytes(mark(content, made))
    assert mark_of(tmp_path / "m") is made
    with Pillow.open(tmp_path / "m") as marked, Pillow.open(io.BytesIO(content)) as plain:
        assert (marked.mode, marked.size) == (plain.mode, plain.size)
        np.testing.assert_array_equal(np.asarray(marked), np.asarray(plain))


@pytest.mark.parametrize("form", MaskForm)
def test_a_marked_mask_is_read_as_any_other(tmp_path, form):
    (tmp_path / "m.png").write_bytes(mark(encode_mask(MASK, form), Made.MASK))
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", strict=True), MASK)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"text", encode_mask(MASK), encode_overlay(COLOURS), mark(encode_mask(MASK), Made.MASK)[:60]),
        mark(encode_mask(MASK), Made.MASK).replace(b"lesionctl: mask", b"lesionctl: face"),
        mark(encode_mask(MASK), Made.MASK).replace(b"Software", b"software"),
    ],
)
def test_nothing_else_has_a_mark(tmp_path, content):
    (tmp_path / "m").write_bytes(content)
    assert mark_of(tmp_path / "m") is None
    assert mark_of(tmp_path / "missing") is mark_of(tmp_path) is None


def test_what_another_program_saved_anew_is_that_program_s(tmp_path):
    (tmp_path / "m.png").write_bytes(mark(encode_mask(MASK), Made.MASK))
    with Pillow.open(tmp_path / "m.png") as picture:
        picture.save(tmp_path / "again.png")
    assert mark_of(tmp_path / "again.png") is None
