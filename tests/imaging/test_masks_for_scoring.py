"""A mask file that is scored: read by ISIC's rule, with a remark where it is not black and white."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image as Pillow

from lesionctl.errors import BadFile
from lesionctl.imaging.masks import encode_mask, examine_mask, read_mask

RED, BLACK, WHITE = (255, 0, 0), (0, 0, 0), (255, 255, 255)

LEVELS = st.sampled_from([0, 1, 128, 129, 255])


def one_bit(mask):
    content = io.BytesIO()
    Pillow.fromarray(mask).save(content, "PNG")
    return content.getvalue()


def saved_as(tmp_path, kind, picture, **options):
    path = tmp_path / f"mask.{kind.lower()}"
    picture.save(path, kind, **options)
    return path


def grey(*values):
    return Pillow.fromarray(np.array([values], np.uint16 if max(values) > 255 else np.uint8))


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [
        ("1", "PNG", {}),
        ("L", "PNG", {}),
        ("LA", "PNG", {}),
        ("P", "PNG", {}),
        ("RGB", "PNG", {}),
        ("RGBA", "PNG", {}),
        ("1", "TIFF", {"compression": "group4"}),
        ("L", "TIFF", {}),
        ("L", "BMP", {}),
        ("P", "GIF", {}),
    ],
)
@pytest.mark.parametrize("values", [(0, 255, 255), (0, 0, 0), (255, 255, 255)])
def test_nothing_is_remarked_of_black_and_white(tmp_path, mode, kind, options, values):
    path = saved_as(tmp_path, kind, grey(*values).convert(mode), **options)
    mask, remark = examine_mask(path)
    assert remark is None
    assert mask.dtype == np.bool_
    assert mask.tolist() == [[value == 255 for value in values]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("white", [255, 65535])
def test_nothing_is_remarked_of_black_and_white_in_sixteen_bits(tmp_path, kind, white):
    path = saved_as(tmp_path, kind, Pillow.fromarray(np.array([[0, white]], np.uint16)))
    mask, remark = examine_mask(path)
    assert (mask.tolist(), remark) == ([[False, True]], None)


@pytest.mark.parametrize(
    ("values", "lesion", "remark"),
    [
        ((0, 129), [False, True], "it holds the grey values 0 and 129; lesion is what is above 128"),
        ((0, 1, 255), [False, False, True], "it holds the grey values 0, 1 and 255; lesion is what is above 128"),
        ((0, 200, 255), [False, True, True], "it holds the grey values 0, 200 and 255; lesion is what is above 128"),
        ((128, 255), [False, True], "it holds the grey values 128 and 255; lesion is what is above 128"),
        ((200, 200), [True, True], "its one grey value is 200; lesion is what is above 128"),
        (
            tuple(range(0, 256, 15)),
            [False] * 9 + [True] * 9,
            "it holds 18 grey values from 0 to 255 (anti-aliased?); lesion is what is above 128",
        ),
        ((0, 33024), [False, True], "it holds the grey values 0 and 33024; lesion is what is above 33023"),
        (
            tuple(range(0, 65536, 4369)),  # 65535 / 15; 7 of 15 parts are below a half
            [False] * 8 + [True] * 8,
            "it holds 16 grey values from 0 to 65535 (anti-aliased?); lesion is what is above 33023",
        ),
    ],
)
def test_what_is_not_black_and_white_is_remarked(tmp_path, values, lesion, remark):
    path = saved_as(tmp_path, "PNG", grey(*values))
    mask, said = examine_mask(path)
    assert (mask.tolist(), said) == ([lesion], remark)
    assert read_mask(path).tolist() == [lesion]


@pytest.mark.parametrize("values", [(0, 1), (1, 1), (0, 1, 2), (0, 128), (0, 256), (0, 33023)])
def test_what_is_neither_black_nor_above_128_is_no_mask(tmp_path, values):
    path, above = saved_as(tmp_path, "PNG", grey(*values)), 128 if max(values) < 256 else 33023  # 128 × 256 + 255
    with pytest.raises(BadFile) as raised:
        examine_mask(path)
    reason = f"its highest value is {max(values)}: nothing in it is above {above} (save lesion as 255)"
    assert (raised.value.path, raised.value.reason) == (path, reason)
    assert not read_mask(path).any()


def coloured(mode, colour):
    """Black, and a pixel of a colour."""
    if mode == "RGB":
        return Pillow.fromarray(np.array([[BLACK, colour]], np.uint8))
    picture = Pillow.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    picture.putpalette([*BLACK, *colour])
    return picture


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_colours_are_remarked_by_their_grey(tmp_path, mode):
    mask, said = examine_mask(saved_as(tmp_path, "PNG", coloured(mode, (255, 255, 0))))
    # ITU-R 601: (0.299 + 0.587) × 255 = 226
    assert said == "as grey, it holds the grey values 0 and 226; lesion is what is above 128"
    assert mask.tolist() == [[False, True]]


@pytest.mark.parametrize("mode", ["RGB", "P"])
@pytest.mark.parametrize(("colour", "highest"), [(RED, 76), ((128, 0, 0), 38), ((1, 1, 1), 1)])  # 0.299 × 255 = 76
def test_colours_that_are_dark_as_grey_are_no_lesion(tmp_path, mode, colour, highest):
    with pytest.raises(BadFile, match=f"as grey, its highest value is {highest}: nothing in it is above 128"):
        examine_mask(saved_as(tmp_path, "PNG", coloured(mode, colour)))


def test_lossy_mask_is_remarked(tmp_path):
    blocks = np.kron(np.random.default_rng(0).integers(0, 2, (6, 6)), np.full((5, 5), 255)).astype(np.uint8)
    mask, remark = examine_mask(saved_as(tmp_path, "JPEG", Pillow.fromarray(blocks)))
    np.testing.assert_array_equal(mask, blocks > 0)
    assert remark.startswith("it holds ")
    assert remark.endswith("(JPEG is lossy); lesion is what is above 128")


@pytest.mark.parametrize(
    ("pixels", "remark"),
    [
        ([(*WHITE, 255), (*BLACK, 0)], None),  # white on transparent black
        ([(*WHITE, 255), (*WHITE, 0)], "its transparency contradicts its colours, which count"),
        (
            [(200, 200, 200, 255), (*WHITE, 0)],
            "as grey, it holds the grey values 200 and 255; lesion is what is above 128; "
            "its transparency contradicts its colours, which count",
        ),
    ],
)
def test_transparency_that_contradicts_the_colours_is_remarked(tmp_path, pixels, remark):
    path = saved_as(tmp_path, "PNG", Pillow.fromarray(np.array([pixels], np.uint8)))
    mask, said = examine_mask(path)
    assert said == remark
    np.testing.assert_array_equal(mask, read_mask(path))


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_examined_mask_is_turned_upright(tmp_path, mode):
    exif = Pillow.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise
    mask, remark = examine_mask(saved_as(tmp_path, "PNG", grey(255, 0, 0).convert(mode), exif=exif))
    assert (mask.tolist(), remark) == ([[True], [False], [False]], None)


@given(
    arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=20), elements=st.sampled_from([0, 1, 128, 129, 255]))
)
def test_examined_mask_is_the_one_that_is_read(tmp_path_factory, levels):
    path = tmp_path_factory.getbasetemp() / "examined_levels.png"
    Pillow.fromarray(levels).save(path)
    if 0 < levels.max() <= 128:
        with pytest.raises(BadFile, match="nothing in it is above 128"):
            examine_mask(path)
        return
    mask, remark = examine_mask(path)
    np.testing.assert_array_equal(mask, levels > 128)
    assert (remark is None) == np.isin(levels, (0, 255)).all()


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_nothing_is_remarked_of_what_is_written(tmp_path_factory, mask):
    path = tmp_path_factory.getbasetemp() / "examined.png"
    for content in (encode_mask(mask), one_bit(mask)):
        path.write_bytes(content)
        found, remark = examine_mask(path)
        np.testing.assert_array_equal(found, mask)
        assert remark is None


@pytest.mark.parametrize("encode", [encode_mask, one_bit])
def test_mask_that_is_cut_off_is_never_examined(tmp_path, encode):
    content = encode(np.random.default_rng(0).random((60, 90)) < 0.5)
    for length in range(0, len(content) - 12, 97):  # without its last chunk of 12 bytes, nothing is missing
        (tmp_path / "mask.png").write_bytes(content[:length])
        with pytest.raises(BadFile):
            examine_mask(tmp_path / "mask.png")
    (tmp_path / "mask.png").write_bytes(bytes(128) + b"DICM" + bytes(100))
    with pytest.raises(BadFile, match="a DICOM file cannot be a mask"):
        examine_mask(tmp_path / "mask.png")
