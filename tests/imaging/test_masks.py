"""Mask files: lesion is above 128 in grey, whatever the file's mode; what is written is 0 and 255."""

from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image as Pillow

from lesionctl.errors import BadFile
from lesionctl.imaging.frame import Frame
from lesionctl.imaging.masks import (
    FOREGROUND_ABOVE,
    MASK_SUFFIX,
    MaskForm,
    decode_mask,
    encode_mask,
    encode_probability,
    read_mask,
)
from lesionctl.imaging.resize_rule import ResizeRule

NAME = Path("mask.png")


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


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [
        ("1", "PNG", {}),
        ("1", "BMP", {}),
        ("1", "TIFF", {"compression": "group4"}),
        ("1", "GIF", {}),
        ("P", "GIF", {}),
        ("P", "PNG", {}),
        ("L", "BMP", {}),
        ("L", "TIFF", {"compression": "tiff_lzw"}),
        ("L", "PPM", {}),
        ("RGB", "WEBP", {"lossless": True}),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_every_kind_is_read_alike(mode, kind, options, strict):
    mask = np.random.default_rng(0).random((23, 37)) < 0.3
    content = io.BytesIO()
    Pillow.fromarray(mask.astype(np.uint8) * 255).convert(mode).save(content, kind, **options)
    np.testing.assert_array_equal(decode_mask(content.getvalue(), NAME, strict=strict), mask)


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=40)), st.sampled_from([{}, {"binarise_at": 0}]))
def test_one_bit_masks_of_every_width_are_read(mask, rule):
    found = decode_mask(one_bit(mask), NAME, strict=True, **rule)
    np.testing.assert_array_equal(found, mask)
    assert set(np.unique(found.view(np.uint8))) <= {0, 1}


def test_interlaced_one_bit_mask_is_read():
    # 3 × 2 pixels in Adam7: passes 1 (a pixel), 4 (a pixel of column 2), 6 (column 1) and 7 (the second row).
    rows = b"\0\x80" + b"\0\0" + b"\0\x80" + b"\0\x60"
    header = b"IHDR" + struct.pack(">IIBBBBB", 3, 2, 1, 0, 0, 0, 1)
    content = png(header, b"IDAT" + zlib.compress(rows), b"IEND")
    expected = [[True, True, False], [False, True, True]]
    assert decode_mask(content, NAME, strict=True).tolist() == expected


def test_first_frame_of_an_animated_one_bit_mask_is_read():
    first, second = (Pillow.fromarray(np.array([[value, True] * 9])) for value in (True, False))
    content = io.BytesIO()
    first.save(content, "PNG", save_all=True, append_images=[second])
    assert decode_mask(content.getvalue(), NAME, strict=True).all()


@pytest.mark.parametrize("mode", ["1", "L"])
@pytest.mark.parametrize(("orientation", "expected"), [(1, [[1, 0, 0]]), (3, [[0, 0, 1]]), (6, [[1], [0], [0]])])
def test_mask_is_turned_upright_like_its_picture(mode, orientation, expected):
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    content = io.BytesIO()
    Pillow.fromarray(np.array([[255, 0, 0]], np.uint8)).convert(mode).save(content, "PNG", exif=exif)
    assert decode_mask(content.getvalue(), NAME, strict=True).tolist() == np.array(expected, bool).tolist()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0xFFFF], [False, True]),
        ([0, 0xFF], [False, True]),  # 8-bit values in a file of 16 bits
        ([0, 0], [False, False]),
    ],
)
@pytest.mark.parametrize("rule", [{}, {"strict": True}, {"binarise_at": 100}])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_mask_is_read_through_grey(values, expected, rule, kind):
    content = io.BytesIO()
    Pillow.fromarray(np.array([values], np.uint16)).save(content, kind)
    assert decode_mask(content.getvalue(), NAME, **rule).tolist() == [expected]


def test_sixteen_bit_zero_and_one_are_strictly_background_and_lesion(saved):
    assert read_mask(saved(Pillow.fromarray(np.array([[0, 1]], np.uint16))), strict=True).tolist() == [[False, True]]


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
        ([0, 128, 255], "it holds the grey values 0, 128 and 255; --binarise-at 128 takes what is above as lesion"),
        ([0, 1, 255], "it holds the grey values 0, 1 and 255; --binarise-at 128 takes what is above as lesion"),
        ([0, 1, 2], "it holds the grey values 0, 1 and 2; --binarise-at 1 takes what is above as lesion"),
        ([0, 76, 76], "it holds the grey values 0 and 76; --binarise-at 38 takes what is above as lesion"),
        ([1, 255], "it holds the grey values 1 and 255; --binarise-at 128 takes what is above as lesion"),
        ([7, 7, 7], "its one grey value is 7"),
        (
            list(range(0, 256, 15)),
            "it holds 18 grey values from 0 to 255 (anti-aliased?); --binarise-at 128 takes what is above as lesion",
        ),
    ],
)
def test_strict_refuses_what_is_not_binary(saved, values, reason):
    path = saved([values])
    with pytest.raises(BadFile) as caught:
        read_mask(path, strict=True)
    assert caught.value.reason == f"the mask is not binary: {reason}"
    assert caught.value.path == path
    assert read_mask(path).tolist() == [[value > 128 for value in values]]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([0, 0x8080, 0xFFFF], "it holds the grey values 0, 32896 and 65535; --binarise-at 128 takes what is above as"),
        ([0, 0x1000], "it holds the grey values 0 and 4096; --binarise-at 8 takes what is above as lesion"),
        ([0x1000, 0x1001], "it holds the grey values 4096 and 4097$"),  # the same in 8 bits
    ],
)
def test_strict_tells_sixteen_bit_values_as_they_are(saved, values, reason):
    with pytest.raises(BadFile, match=reason):
        read_mask(saved(Pillow.fromarray(np.array([values], np.uint16))), strict=True)


def test_red_on_black_is_refused_or_taken_from_a_value_on(saved):
    picture = Pillow.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    picture.putpalette([0, 0, 0, 255, 0, 0])  # ITU-R 601: the grey of red is 0.299 × 255 = 76
    path = saved(picture)
    with pytest.raises(BadFile, match="it holds the grey values 0 and 76; --binarise-at 38 takes"):
        read_mask(path, strict=True)
    assert read_mask(path, binarise_at=38).tolist() == [[False, True]]


def test_jpeg_is_refused_as_lossy(saved):
    mask = np.kron(np.random.default_rng(0).integers(0, 2, (6, 6)), np.full((5, 5), 255))
    path = saved(mask, "mask.jpg")
    with pytest.raises(BadFile, match=r"\(JPEG is lossy\); --binarise-at 128 takes what is above as lesion"):
        read_mask(path, strict=True)
    np.testing.assert_array_equal(read_mask(path, binarise_at=128), mask > 0)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("level", [0, 17, 128, 254])
def test_value_to_binarise_at_takes_the_place_of_every_rule(saved, strict, level):
    values = [0, 17, 18, 128, 129, 254, 255]
    found = read_mask(saved([values]), strict=strict, binarise_at=level)
    assert found.tolist() == [[value > level for value in values]]


RED, BLACK, WHITE = (255, 0, 0), (0, 0, 0), (255, 255, 255)


@pytest.mark.parametrize("rule", [{"strict": True}, {"binarise_at": 128}])
@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ([(*WHITE, 255), (*BLACK, 255)], [True, False]),
        ([(*WHITE, 255), (*BLACK, 0)], [True, False]),  # white on transparent black
        ([(*WHITE, 7), (*BLACK, 0)], [True, False]),  # hardly opaque, but drawn
        ([(*BLACK, 0), (*BLACK, 0)], [False, False]),
        ([(*WHITE, 255), (*WHITE, 0)], None),  # drawn by transparency alone
        ([(*BLACK, 255), (*BLACK, 0)], None),
    ],
)
def test_transparency_that_contradicts_the_colours_is_refused(saved, rule, pixels, expected):
    path = saved(np.array([pixels]))
    if expected is None:
        with pytest.raises(BadFile, match="transparency contradicts its colours: save it without transparency"):
            read_mask(path, **rule)
    else:
        assert read_mask(path, **rule).tolist() == [expected]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("transparency", [0, b"\0\xff"])
def test_transparent_background_of_a_palette_is_background(tmp_path, transparency):
    picture = Pillow.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    picture.putpalette([*BLACK, *WHITE])
    picture.save(tmp_path / "mask.png", transparency=transparency)
    assert read_mask(tmp_path / "mask.png", strict=True).tolist() == [[False, True]]


@given(st.data())
def test_any_palette_is_read_as_pillow_makes_it_grey(tmp_path_factory, data):
    colours = data.draw(st.lists(st.integers(0, 255), min_size=3, max_size=768).map(lambda c: c[: len(c) // 3 * 3]))
    indices = data.draw(arrays(np.uint8, (4, 6), elements=st.integers(0, len(colours) // 3 - 1)))
    transparency = data.draw(st.sampled_from([{}, {"transparency": 0}]))
    picture = Pillow.fromarray(indices).convert("P")
    picture.putpalette(colours)
    path = tmp_path_factory.getbasetemp() / "palette.png"
    picture.save(path, **transparency)
    with Pillow.open(path) as stored:
        assert stored.mode == "P"
        stored.load()
        stored.info.pop("transparency", None)
        grey = np.asarray(stored.convert("L"))
    np.testing.assert_array_equal(read_mask(path), grey > 128)


def test_index_beyond_a_palette_is_read_as_pillow_makes_it_grey():
    header, colours = b"IHDR" + struct.pack(">IIBBBBB", 3, 1, 8, 3, 0, 0, 0), b"PLTE" + bytes([0, 0, 0, 255, 255, 255])
    content = png(header, colours, b"IDAT" + zlib.compress(bytes([0, 0, 1, 200])), b"IEND")
    with Pillow.open(io.BytesIO(content)) as picture:
        expected = np.asarray(picture.convert("L")) > 128
    assert decode_mask(content, NAME).tolist() == expected.tolist()


def test_dicom_is_no_mask(tmp_path):
    (tmp_path / "mask.png").write_bytes(bytes(128) + b"DICM" + bytes(100))
    with pytest.raises(BadFile, match="a DICOM file cannot be a mask: save the mask as PNG"):
        read_mask(tmp_path / "mask.png")


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=40)), st.sampled_from(MaskForm))
def test_what_is_written_is_read_back(tmp_path_factory, mask, form):
    path = tmp_path_factory.getbasetemp() / "round_trip.png"
    path.write_bytes(encode_mask(mask, form))
    np.testing.assert_array_equal(read_mask(path), mask)
    np.testing.assert_array_equal(read_mask(path, strict=True), mask)
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED) == 255, mask)


@given(arrays(np.bool_, (5, 7)))
def test_written_file_is_grey_with_0_and_255(mask):
    with Pillow.open(io.BytesIO(encode_mask(mask))) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (7, 5))
        np.testing.assert_array_equal(np.asarray(picture), mask * 255)


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_file_of_one_bit_is_what_others_write(mask):
    with Pillow.open(io.BytesIO(encode_mask(mask, MaskForm.BITS1))) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "1", mask.shape[::-1])
        picture.load()  # checks the sums of its chunks
        np.testing.assert_array_equal(np.asarray(picture), mask)


@pytest.mark.parametrize("form", MaskForm)
def test_views_of_larger_masks_are_written_right(tmp_path, form):
    mask = np.random.default_rng(0).random((40, 60)) < 0.5
    for view in (mask.T, mask[::2, 1::3], mask[::-1]):
        (tmp_path / "m.png").write_bytes(encode_mask(view, form))
        np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), view)


def disc(height, width):
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return x * x + y * y < 0.5


@pytest.mark.parametrize(("form", "most"), [(MaskForm.GREY8, 1.1), (MaskForm.BITS1, 0.3)])
def test_a_large_mask_is_written_with_few_bytes_per_pixel_and_into_fewer(form, most):
    mask = disc(2000, 3000)
    tracemalloc.start()
    try:
        content = encode_mask(mask, form)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most * mask.size
    assert len(content) < mask.size / 300


@pytest.mark.parametrize("rule", ResizeRule)
@pytest.mark.parametrize(("height", "width"), [(90, 120), (40, 30), (1, 50)])
def test_probabilities_are_written_as_16_bit_greys_of_the_picture_s_size(height, width, rule):
    probability = np.random.default_rng(0).random((64, 64), np.float32)
    probability[20:44, 20:44] = 1
    probability[28:36, 28:36] = 0
    frame = Frame.fit(height, width, 64, rule)
    with Pillow.open(io.BytesIO(encode_probability(probability, frame))) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "I;16", (width, height))
        found = np.asarray(picture)
    np.testing.assert_allclose(found / 65535, frame.restore(probability), atol=1.1 / 65535)


@pytest.mark.parametrize(("value", "level"), [(0, 0), (1, 65535), (0.5, 32768), (0.25, 16384)])
def test_probability_is_a_share_of_65535(value, level):
    content = encode_probability(np.full((16, 16), value, np.float32), Frame.fit(30, 40, 16, ResizeRule.SQUASH))
    found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found.dtype == np.uint16
    assert (found == level).all()  # 0.5 and 0.25 of 65535 are rounded up


def png(*chunks):
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def one_bit(mask):
    content = io.BytesIO()
    Pillow.fromarray(mask).save(content, "PNG")
    return content.getvalue()


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
        (encode_mask(np.eye(300, dtype=bool))[:200], "cut off"),
        (one_bit(np.eye(300, dtype=bool))[:200], "cut off"),
        (claimed(20_000, 20_000), "claims 20000×20000 pixels, more than the limit"),
        (claimed(0x7FFFFFFF, 0x7FFFFFFF), "claims 2147483647×2147483647 pixels"),
    ],
    ids=["empty", "text", "cut off", "1-bit cut off", "large", "absurd"],
)
def test_bad_mask_file_is_named_with_its_reason(tmp_path, content, reason):
    (tmp_path / "mask.png").write_bytes(content)
    with pytest.raises(BadFile, match=reason) as caught:
        read_mask(tmp_path / "mask.png")
    assert caught.value.path == tmp_path / "mask.png"


def test_missing_mask_is_a_bad_file(tmp_path):
    with pytest.raises(BadFile, match="No such file"):
        read_mask(tmp_path / "missing.png")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("strict", [False, True])
def test_damaged_bytes_never_raise_anything_but_a_bad_file(strict):
    rng = np.random.default_rng(0)
    for encode in (encode_mask, one_bit):
        content = np.frombuffer(encode(rng.random((30, 50)) < 0.5), np.uint8)
        for _ in range(200):
            damaged = content.copy()
            damaged[rng.integers(0, len(content), 2)] = rng.integers(0, 256, 2)
            with contextlib.suppress(BadFile):
                assert decode_mask(damaged.tobytes(), NAME, strict=strict).dtype == np.bool_
