"""One decoder: every kind of file comes out as the same upright RGB, and a bad one is named with its reason."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from picture_files import BLUE, GREEN, RED, STORED, YELLOW, encoded, png_header, quarters
from PIL import Image as Pillow
from PIL import features

from lesionctl.errors import BadFile
from lesionctl.imaging.decode import IMAGE_SUFFIXES, decode, decode_bytes
from lesionctl.imaging.opening import named_reasons

NAME = Path("picture.jpg")
needs_avif = pytest.mark.skipif("avif" not in features.get_supported(), reason="this Pillow cannot read AVIF")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_kinds_come_out_as_they_went_in(kind):
    picture = np.random.default_rng(0).integers(0, 256, (23, 31, 3), np.uint8)
    decoded = decode_bytes(encoded(picture, kind, **({"lossless": True} if kind == "WEBP" else {})), NAME)
    np.testing.assert_array_equal(decoded.image, picture)
    assert (decoded.height, decoded.width) == (23, 31)
    assert decoded.image.dtype == np.uint8


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", pytest.param("AVIF", marks=needs_avif)])
@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_gives_the_same_upright_picture_and_size(kind, orientation):
    stored = Pillow.fromarray(quarters())
    if STORED[orientation] is not None:
        stored = stored.transpose(STORED[orientation])
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    decoded = decode_bytes(encoded(stored, kind, exif=exif), NAME)
    assert decoded.image.shape == (40, 60, 3)
    for (row, column), colour in {(10, 15): RED, (10, 45): GREEN, (30, 15): BLUE, (30, 45): YELLOW}.items():
        np.testing.assert_allclose(decoded.image[row, column], colour, atol=12)
    assert (decoded.height, decoded.width) == (40, 60)


def test_suffixes_are_those_of_kinds_that_can_be_read():
    known = ".jpg .jpeg .jfif .png .tif .tiff .bmp .gif .webp .jp2 .heic .heif .hif .avif .dcm .dicom"
    assert frozenset(known.split()) == IMAGE_SUFFIXES


def solid(mode, colour):
    return Pillow.new(mode, (8, 6), colour)


def palette():
    picture = solid("P", 1)
    picture.putpalette([0, 0, 0, *RED])
    return picture


def deep(value, dtype=np.uint16):
    return Pillow.fromarray(np.full((6, 8), value, dtype))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("picture", "kind", "options", "expected"),
    [
        (solid("L", 77), "PNG", {}, (77, 77, 77)),
        (solid("L", 77), "JPEG", {}, (77, 77, 77)),
        (solid("L", 77), "JPEG2000", {}, (77, 77, 77)),
        (solid("L", 77), "PPM", {}, (77, 77, 77)),
        (solid("1", 1), "PNG", {}, (255, 255, 255)),
        (solid("1", 1), "BMP", {}, (255, 255, 255)),
        (solid("1", 1), "TIFF", {"compression": "group4"}, (255, 255, 255)),
        (palette(), "PNG", {}, RED),
        (palette(), "PNG", {"bits": 1}, RED),
        (palette(), "PNG", {"transparency": 1}, RED),
        (palette(), "PNG", {"transparency": b"\xff\0"}, RED),
        (palette(), "GIF", {}, RED),
        (palette(), "GIF", {"transparency": 1}, RED),
        (palette(), "BMP", {}, RED),
        (palette(), "TIFF", {}, RED),
        (solid("LA", (77, 0)), "PNG", {}, (77, 77, 77)),  # alpha is dropped, not blended
        (solid("RGBA", (*RED, 0)), "PNG", {}, RED),
        (solid("RGBA", (*RED, 0)), "TIFF", {}, RED),
        (solid("RGBA", (*RED, 0)), "WEBP", {"lossless": True, "exact": True}, RED),
        (solid("RGB", RED), "PNG", {"transparency": RED}, RED),
        (solid("RGB", RED), "JPEG2000", {}, RED),
        (solid("CMYK", (0, 255, 255, 0)), "TIFF", {}, (255, 0, 0)),
        (solid("CMYK", (0, 255, 255, 0)), "JPEG", {}, (255, 0, 0)),  # stored inverted, as Adobe does
        (solid("RGB", RED), "TIFF", {"compression": "jpeg"}, RED),
        (deep(0x8000), "PNG", {}, (128, 128, 128)),
        (deep(0x00FF), "PNG", {}, (0, 0, 0)),
        (deep(0xFFFF), "TIFF", {}, (255, 255, 255)),
        (deep(0x8000, ">u2"), "TIFF", {}, (128, 128, 128)),
        (deep(0x8000), "JPEG2000", {}, (128, 128, 128)),
        pytest.param(solid("RGBA", (*RED, 0)), "AVIF", {}, RED, marks=needs_avif),
        (solid("RGB", RED), "TIFF", {"compression": "tiff_lzw"}, RED),
        (solid("CMYK", (0, 255, 255, 0)), "TIFF", {"compression": "tiff_lzw"}, (255, 0, 0)),
        (solid("YCbCr", (76, 85, 255)), "TIFF", {"compression": "jpeg"}, (254, 0, 0)),
        (deep(0x4000, np.int32), "TIFF", {}, (64, 64, 64)),
    ],
    ids=lambda value: value.mode if isinstance(value, Pillow.Image) else None,
)
def test_every_mode_becomes_rgb(picture, kind, options, expected):
    decoded = decode_bytes(encoded(picture, kind, **options), NAME)
    assert decoded.image.shape == (6, 8, 3)
    np.testing.assert_allclose(decoded.image.reshape(-1, 3), np.tile(expected, (48, 1)), atol=2)


def tiff(picture, photometric, planes_apart=False, order="<"):
    """An uncompressed TIFF of a uint16 array `[H, W]` or `[H, W, 3]`."""
    height, width, channels = (*picture.shape, 1)[:3]
    data = (np.moveaxis(picture, -1, 0) if planes_apart else picture).astype(f"{order}u2").tobytes()
    strips = channels if planes_apart else 1
    first, lists = 8 + len(data), 8 + len(data) + 2 + 12 * 10 + 4
    offsets = [8 + i * len(data) // strips for i in range(strips)]
    counts = [len(data) // strips] * strips
    entries, tail = [], b""
    for tag, kind, values in [
        (256, "H", [width]),
        (257, "H", [height]),
        (258, "H", [16] * channels),
        (259, "H", [1]),
        (262, "H", [photometric]),
        (273, "I", offsets),
        (277, "H", [channels]),
        (278, "H", [height]),
        (279, "I", counts),
        (284, "H", [2 if planes_apart else 1]),
    ]:
        packed = struct.pack(f"{order}{len(values)}{kind}", *values)
        if len(packed) > 4:
            packed, tail = struct.pack(f"{order}I", lists + len(tail)), tail + packed
        entries.append(struct.pack(f"{order}HHI", tag, {"H": 3, "I": 4}[kind], len(values)) + packed.ljust(4, b"\0"))
    start = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, first)
    return start + data + struct.pack(f"{order}H", 10) + b"".join(entries) + bytes(4) + tail


@pytest.mark.parametrize("order", "<>")
def test_sixteen_bit_colours_of_a_tiff_are_scaled(order):
    picture = np.random.default_rng(0).integers(0, 0x10000, (6, 8, 3)).astype(np.uint16)
    decoded = decode_bytes(tiff(picture, photometric=2, order=order), NAME)
    np.testing.assert_array_equal(decoded.image, picture >> 8)


@pytest.mark.parametrize("kind", [".png", ".tiff"])  # cv2 compresses TIFF with LZW
def test_sixteen_bit_colours_written_by_others_are_scaled(kind):
    picture = np.random.default_rng(0).integers(0, 0x10000, (6, 8, 3)).astype(np.uint16)
    decoded = decode_bytes(cv2.imencode(kind, picture[..., ::-1])[1].tobytes(), NAME)
    np.testing.assert_allclose(decoded.image, picture >> 8, atol=1)


def test_sixteen_bit_greys_with_white_as_zero_are_inverted():
    assert decode_bytes(tiff(np.full((6, 8), 0x1234, np.uint16), photometric=0), NAME).image[0, 0].tolist() == [237] * 3


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (b"\x03\x01\x00\x00\x01\x00\x02\x01\x00\x01", [[0, 1, 1], [1, 1, 1]]),  # runs
        (b"\x00\x03\x01\x00\x01\x00\x00\x00\x03\x00\x00\x01", [[0, 0, 0], [1, 0, 1]]),  # literal, then a run
    ],
)
def test_run_lengths_of_a_bmp_are_undone(pixels, expected):
    colours = bytes([0, 0, 0, 0, *RED[::-1], 0])
    header = struct.pack("<IiiHHIIiiII", 40, 3, 2, 1, 8, 1, len(pixels), 0, 0, 2, 2)
    start = struct.pack("<2sIHHI", b"BM", 14 + 40 + 8 + len(pixels), 0, 0, 14 + 40 + 8)
    decoded = decode_bytes(start + header + colours + pixels, NAME)
    np.testing.assert_array_equal(decoded.image[..., 0] // 250, expected)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("GIF", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("MPO", {"quality": 95})],
)
def test_first_frame_or_page_is_taken(kind, options):
    pages = {"save_all": True, "append_images": [Pillow.fromarray(quarters()[::-1])]}
    image = decode_bytes(encoded(quarters(), kind, **pages, **options), NAME).image
    assert image.shape == (40, 60, 3)
    np.testing.assert_allclose(image[10, 15], RED, atol=12)
    np.testing.assert_allclose(image[30, 45], YELLOW, atol=12)


def test_greys_of_a_jpeg_have_smaller_scales_too():
    content = encoded(Pillow.fromarray(quarters(600, 800)).convert("L"), "JPEG")
    assert decode_bytes(content, NAME, at_least=75).image.shape == (75, 100, 3)


def test_cmyk_jpeg_has_smaller_scales_too():
    content = encoded(Pillow.fromarray(quarters(600, 800)).convert("CMYK"), "JPEG")
    image = decode_bytes(content, NAME, at_least=75).image
    assert image.shape == (75, 100, 3)
    np.testing.assert_allclose(image[20, 25], RED, atol=12)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_garbled_exif_does_not_spoil_the_picture(kind):
    content = encoded(quarters(), kind, exif=b"Exif\0\0garbage")
    assert decode_bytes(content, NAME).image.shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("at_least", "expected"),
    [
        (75, (75, 100, 3)),  # 600 / 8 = 75: an eighth is enough
        (76, (150, 200, 3)),  # a quarter
        (150, (150, 200, 3)),
        (151, (300, 400, 3)),  # a half
        (301, (600, 800, 3)),  # the whole
        (5000, (600, 800, 3)),
        (None, (600, 800, 3)),
    ],
)
def test_smaller_scale_of_a_jpeg_is_enough_and_the_full_size_is_told(at_least, expected):
    decoded = decode_bytes(encoded(quarters(600, 800), "JPEG"), NAME, at_least)
    assert decoded.image.shape == expected
    assert (decoded.height, decoded.width) == (600, 800)
    np.testing.assert_allclose(decoded.image[expected[0] // 4, expected[1] // 4], RED, atol=12)


def test_smaller_scale_of_a_turned_jpeg_is_upright():
    exif = Pillow.Exif()
    exif[0x0112] = 6
    turned = Pillow.fromarray(quarters(600, 800)).transpose(STORED[6])
    decoded = decode_bytes(encoded(turned, "JPEG", exif=exif), NAME, at_least=75)
    assert decoded.image.shape == (75, 100, 3)
    assert (decoded.height, decoded.width) == (600, 800)


def test_other_kinds_have_no_smaller_scale():
    assert decode_bytes(encoded(quarters(), "PNG"), NAME, at_least=8).image.shape == (40, 60, 3)


def test_strips_of_greys_with_white_as_zero_are_inverted(monkeypatch):
    monkeypatch.setattr("lesionctl.imaging.decode._LARGE", 0)
    monkeypatch.setattr("lesionctl.imaging.decode._STRIP", 1)
    picture = tiff(np.full((45, 59), 0x1234, np.uint16), photometric=0)
    assert np.unique(decode_bytes(picture, NAME, at_least=20).image).tolist() == [237]


def test_content_decides_and_not_the_suffix(tmp_path):
    path = tmp_path / "really_a_png.jpg"
    path.write_bytes(encoded(quarters(), "PNG"))
    np.testing.assert_array_equal(decode(path).image, quarters())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"isic_id,age\nISIC_1,40\n", "not a picture of a kind that can be read"),
        (b"%PDF-1.7\n" + bytes(100), "not a picture of a kind that can be read"),
        (encoded(quarters(200, 300), "JPEG")[:2000], "the file is cut off: its end is missing"),
        (encoded(quarters(200, 300), "JPEG")[:-40], "the file is cut off: its end is missing"),
        (encoded(quarters(), "PNG")[:100], "the file is cut off: its end is missing"),
        (encoded(quarters(), "BMP")[:1000], "the file is cut off: its end is missing"),
        (png_header(100_000, 50_000), "claims 100000×50000 pixels, more than the limit of 300,000,000"),
        (png_header(0xFFFFFFFF, 1), "claims 4294967295×1 pixels, more than the limit of 300,000,000"),
        (encoded(solid("F", 0.5), "TIFF"), "holds floating-point pixels, which have no agreed range"),
        (encoded(deep(0x10000, np.int32), "TIFF"), "holds 32-bit numbers, which have no agreed range"),
        (
            tiff(np.zeros((6, 8, 3), np.uint16), photometric=2, planes_apart=True),
            "a TIFF of 16-bit planes without compression: store its colours interleaved",
        ),
        (
            cv2.imencode(".tiff", np.zeros((6, 8, 3), np.float32))[1].tobytes(),
            "a TIFF that is damaged, or of a kind that cannot be read: try 8 or 16 bits per colour",
        ),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 6\n", "not a picture of a kind that can be read"),
    ],
)
def test_bad_file_is_named_with_its_reason(content, reason):
    with pytest.raises(BadFile) as caught:
        decode_bytes(content, NAME)
    assert caught.value.reason == reason
    assert caught.value.path == NAME


@pytest.mark.parametrize(
    ("brand", "reason"),
    [(b"isom", "not a picture of a kind that can be read"), (b"avif", "an AVIF file, which this Pillow cannot read")],
)
def test_film_and_picture_in_boxes_are_told_apart(brand, reason, monkeypatch):
    monkeypatch.setattr(features, "get_supported", list)
    with pytest.raises(BadFile, match=reason):
        decode_bytes(struct.pack(">I4s4sI4s", 20, b"ftyp", brand, 0, brand) + bytes(100), NAME)


def test_reason_is_a_short_line():
    with pytest.raises(BadFile) as caught, named_reasons(b"content", NAME):
        raise ValueError("many\nwords " * 100)
    assert caught.value.reason.startswith("cannot be decoded (many words many words")
    assert caught.value.reason.endswith("many …)")
    assert len(caught.value.reason) < 200


def test_missing_file_and_folder_are_bad_files(tmp_path):
    with pytest.raises(BadFile, match="No such file"):
        decode(tmp_path / "missing.jpg")
    with pytest.raises(BadFile, match="Is a directory"):
        decode(tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP"])
def test_damaged_bytes_never_raise_anything_but_a_bad_file(kind):
    rng = np.random.default_rng(0)
    exif = Pillow.Exif()
    exif[0x0112] = 6
    content = np.frombuffer(encoded(quarters(), kind, **({} if kind in {"BMP", "GIF"} else {"exif": exif})), np.uint8)
    for _ in range(150):
        damaged = content.copy()
        damaged[rng.integers(0, min(300, len(content)), 3)] = rng.integers(0, 256, 3)
        with contextlib.suppress(BadFile):
            decode_bytes(damaged.tobytes(), NAME, at_least=16)
