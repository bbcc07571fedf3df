"""Masks at their own size: packed, read back to the pixel, and refused where they are damaged."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionctl.dataset.native_masks import NativeMasks, NativeMaskWriter, pack, unpack
from lesionctl.errors import BadFile

SIZES = [(1, 1), (1, 9), (7, 1), (3, 5), (8, 8), (31, 17), (450, 600)]


def make_mask(height, width):
    return np.random.default_rng(height * 1000 + width).random((height, width)) < 0.5


def disc(height, width):
    y, x = np.mgrid[:height, :width]
    return np.hypot(y - height / 2, x - width / 2) < height / 3


MASKS = [make_mask(*size) for size in SIZES]


def write(path, masks, rows=0):
    writer = NativeMaskWriter(path, rows)
    for mask in masks:
        writer.append(pack(mask))
    return writer


def read_all(path, masks):
    stored = NativeMasks(path)
    assert len(stored) == len(masks)
    for row in reversed(range(len(masks))):  # any row, in any order
        mask = stored.read(row, *masks[row].shape)
        assert mask.dtype == np.bool_
        np.testing.assert_array_equal(mask, masks[row])


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([0.0, 0.3, 1.0]))
def test_packed_mask_of_any_size_is_unpacked_to_the_pixel(height, width, share):
    mask = np.random.default_rng(0).random((height, width)) < share
    np.testing.assert_array_equal(unpack(pack(mask), height, width), mask)


def test_mask_that_is_a_view_of_another_is_packed_as_it_reads():
    mask = make_mask(10, 12).T[::2]
    np.testing.assert_array_equal(unpack(pack(mask), *mask.shape), mask)


def test_a_lesion_s_mask_takes_less_than_a_hundredth_of_its_pixels():
    assert len(pack(disc(1024, 1024))) < 1024 * 1024 / 100


@pytest.mark.parametrize(("height", "width"), [(8, 9), (2, 8), (1, 1)])
def test_a_mask_of_another_size_is_refused(height, width):
    with pytest.raises(ValueError, match="pixels is not 8 bytes long"):
        unpack(pack(np.ones((8, 8), bool)), height, width)


def test_masks_are_read_back(tmp_path):
    write(tmp_path, MASKS).close()
    read_all(tmp_path, MASKS)


def test_no_masks_at_all_can_be_opened(tmp_path):
    write(tmp_path, []).close()
    read_all(tmp_path, [])


@pytest.mark.parametrize("kept", [0, 1, 4, 6])
def test_a_later_process_goes_on_after_the_masks_that_it_keeps(tmp_path, kept):
    write(tmp_path, [*MASKS[:kept], *MASKS[2:4]]).flush()  # killed: two more were written and are not counted
    write(tmp_path, MASKS[kept:], rows=kept).close()
    read_all(tmp_path, MASKS)


def test_a_mask_that_was_cut_off_is_written_again(tmp_path):
    write(tmp_path, MASKS[:3]).flush()
    content = tmp_path / "native_masks.bin"
    content.write_bytes(content.read_bytes()[:-1])
    write(tmp_path, MASKS[2:], rows=2).close()
    read_all(tmp_path, MASKS)


@pytest.mark.parametrize("file", ["native_masks.bin", "native_masks.npy"])
def test_fewer_masks_than_there_should_be_are_a_bad_file(tmp_path, file):
    write(tmp_path, MASKS[:3]).flush()
    (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:-9])
    with pytest.raises(BadFile, match=rf"{file}: does not hold the 3 (rows|masks) that it should"):
        NativeMaskWriter(tmp_path, rows=3)


def flip(content):
    return bytes([*content[:-5], content[-5] ^ 1, *content[-4:]])


@pytest.mark.parametrize("row", [0, 6])
def test_damaged_content_is_a_bad_file(tmp_path, row):
    writer = NativeMaskWriter(tmp_path)
    for number, mask in enumerate(MASKS):
        writer.append(flip(pack(mask)) if number == row else pack(mask))
    writer.close()
    masks = NativeMasks(tmp_path)
    with pytest.raises(BadFile, match=r"native_masks\.bin: is damaged") as caught:
        masks.read(row, *SIZES[row])
    assert caught.value.hint == "prepare the set again"
    np.testing.assert_array_equal(masks.read(3, *SIZES[3]), MASKS[3])  # the others can still be read


def test_content_that_is_no_mask_of_this_size_or_gone_is_a_bad_file(tmp_path):
    write(tmp_path, MASKS).close()
    masks = NativeMasks(tmp_path)
    with pytest.raises(BadFile, match="is damaged"):
        masks.read(4, 450, 600)
    (tmp_path / "native_masks.bin").unlink()
    with pytest.raises(BadFile, match="is damaged"):
        masks.read(4, *SIZES[4])


def test_files_that_do_not_agree_are_refused(tmp_path):
    write(tmp_path, MASKS).close()
    with (tmp_path / "native_masks.bin").open("ab") as file:
        file.write(zlib.compress(b""))
    with pytest.raises(ValueError, match="has not the length"):
        NativeMasks(tmp_path)
