"""Mask files: lesion is above 128 in grey, whatever the file's mode; what is written is 0 and 255."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image as Pillow

from lesionctl.errors import BadFile
from lesionctl.imaging.masks import FOREGROUND_ABOVE, MASK_SUFFIX, encode_mask, read_mask


@pytest.fixture
def saved(tmp_path):
    def save(picture, name="mask.png"):
        picture = picture if isinstance(picture, Pillow.Image) else Pillow.fromarray(np.asarray(picture, np.uint8))
        picture.save(tmp_path / name)
        return tmp_path / name

    return save


def test_names_and_rule_of_isic():
    assert MASK_SUFFIX == "_segmentation.png"
    assert FOREGROUND_ABOVE == 128


@pytest.mark.parametrize(("value", "lesion"), [(0, False), (127, False), (128, False), (129, True), (255, True)])
def test_mask_at_128_is_background_and_at_129_lesion(saved, value, lesion):
    mask = read_mask(saved([[value, 0]]))
    assert mask.dtype == np.bool_
    assert mask.tolist() == [[lesion, False]]


@pytest.mark.parametrize("strict", [False, True])
def test_inverted_palette_is_read_through_its_colours(saved, strict):
    picture = Pillow.fromarray(np.array([[0, 1], [1, 1]], np.uint8)).convert("P")
    picture.putpalette([255, 255, 255, 0, 0, 0])  # index 0 is white, as in 402 redistributed HAM10000 masks
    path = saved(picture)
    with Pillow.open(path) as stored:
        assert stored.mode == "P"
    assert read_mask(path, strict=strict).tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "LA"])
def test_every_mode_is_read_through_grey(saved, mode, strict):
    picture = Pillow.fromarray(np.array([[0, 255, 255]], np.uint8)).convert(mode)
    assert read_mask(saved(picture), strict=strict).tolist() == [[False, True, True]]


def test_sixteen_bit_mask_is_read_through_grey(saved):
    picture = Pillow.fromarray(np.array([[0, 0xFFFF]], np.uint16))
    assert read_mask(saved(picture), strict=True).tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 255], [False, True]),
        ([0, 1], [False, True]),
        ([1, 1], [True, True]),
        ([0, 0], [False, False]),
        ([255, 255], [True, True]),
    ],
)
def test_strict_takes_zero_and_one_or_zero_and_255(saved, values, expected):
    assert read_mask(saved([values]), strict=True).tolist() == [expected]


def test_zero_and_one_are_background_to_isics_rule(saved):
    assert read_mask(saved([[0, 1]])).tolist() == [[False, False]]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([0, 128, 255], "the mask is not binary: it holds 3 grey values from 0 to 255"),
        ([0, 1, 255], "the mask is not binary: it holds 3 grey values from 0 to 255"),
        ([0, 1, 2], "the mask is not binary: it holds 3 grey values from 0 to 2"),
        ([0, 128, 128], "the mask is not binary: it holds 2 grey values from 0 to 128"),
        ([7, 7, 7], "the mask is not binary: it holds 1 grey values from 7 to 7"),
    ],
)
def test_strict_refuses_what_is_not_binary(saved, values, reason):
    path = saved([values])
    with pytest.raises(BadFile) as caught:
        read_mask(path, strict=True)
    assert caught.value.reason == reason
    assert caught.value.path == path
    assert read_mask(path).tolist() == [[value > 128 for value in values]]


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_what_is_written_is_read_back(tmp_path_factory, mask):
    path = tmp_path_factory.getbasetemp() / "round_trip.png"
    path.write_bytes(encode_mask(mask))
    np.testing.assert_array_equal(read_mask(path), mask)
    np.testing.assert_array_equal(read_mask(path, strict=True), mask)


@given(st.data())
def test_written_file_is_grey_with_0_and_255(data):
    mask = data.draw(arrays(np.bool_, (5, 7)))
    with Pillow.open(io.BytesIO(encode_mask(mask))) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (7, 5))
        np.testing.assert_array_equal(np.asarray(picture), mask * 255)


def test_views_of_larger_masks_are_written_right(tmp_path):
    mask = np.random.default_rng(0).random((40, 60)) < 0.5
    for view in (mask.T, mask[::2, 1::3], mask[::-1]):
        (tmp_path / "m.png").write_bytes(encode_mask(view))
        np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), view)


def claimed(width, height):
    content = io.BytesIO()
    Pillow.new("L", (1, 1)).save(content, "BMP")
    header = bytearray(content.getvalue())
    header[18:26] = width.to_bytes(4, "little") + height.to_bytes(4, "little")
    return bytes(header)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"not a mask", "not a picture of a kind that can be read"),
        (encode_mask(np.eye(300, dtype=bool))[:200], "cut off|truncated"),
        (claimed(20_000, 20_000), "claims 20000×20000 pixels, more than the limit"),
        (claimed(0x7FFFFFFF, 0x7FFFFFFF), "claims 2147483647×2147483647 pixels"),
    ],
    ids=["empty", "text", "cut off", "large", "absurd"],
)
def test_bad_mask_file_is_named_with_its_reason(tmp_path, content, reason):
    (tmp_path / "mask.png").write_bytes(content)
    with pytest.raises(BadFile, match=reason) as caught:
        read_mask(tmp_path / "mask.png")
    assert caught.value.path == tmp_path / "mask.png"


def test_missing_mask_is_a_bad_file(tmp_path):
    with pytest.raises(BadFile, match="No such file"):
        read_mask(tmp_path / "missing.png")
