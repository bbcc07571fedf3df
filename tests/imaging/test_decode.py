"""One decoder: every kind of file comes out as the same upright RGB, and a bad one is named with its reason."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from lesionctl.errors import BadFile
from lesionctl.imaging.decode import MAX_PIXELS, decode, decode_bytes

RED, GREEN, BLUE, YELLOW = (250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0)
NAME = Path("picture.jpg")

# How a camera stores the upright picture for each EXIF orientation: the inverse of what a viewer does.
STORED = {
    1: None,
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_90,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_270,
}


def quarters(height=40, width=60):
    """Red and green above blue and yellow."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2], picture[: height // 2, width // 2 :] = RED, GREEN
    picture[height // 2 :, : width // 2], picture[height // 2 :, width // 2 :] = BLUE, YELLOW
    return picture


def encoded(picture, kind, **options):
    picture = picture if isinstance(picture, Pillow.Image) else Pillow.fromarray(picture)
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


def png_header(width, height):
    """The start of a grey PNG that claims a size and holds no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    chunks = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, data))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_kinds_come_out_as_they_went_in(kind):
    picture = np.random.default_rng(0).integers(0, 256, (23, 31, 3), np.uint8)
    decoded = decode_bytes(encoded(picture, kind, **({"lossless": True} if kind == "WEBP" else {})), NAME)
    np.testing.assert_array_equal(decoded.image, picture)
    assert (decoded.height, decoded.width) == (23, 31)
    assert decoded.image.dtype == np.uint8


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
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


def solid(mode, colour):
    return Pillow.new(mode, (8, 6), colour)


def palette():
    picture = solid("P", 1)
    picture.putpalette([0, 0, 0, *RED])
    return picture


@pytest.mark.parametrize(
    ("picture", "kind", "expected"),
    [
        (solid("L", 77), "PNG", (77, 77, 77)),
        (solid("L", 77), "JPEG", (77, 77, 77)),
        (solid("1", 1), "PNG", (255, 255, 255)),
        (palette(), "PNG", RED),
        (solid("LA", (77, 0)), "PNG", (77, 77, 77)),  # alpha is dropped, not blended
        (solid("RGBA", (*RED, 0)), "PNG", RED),
        (solid("RGBA", (*RED, 0)), "TIFF", RED),
        (solid("CMYK", (0, 255, 255, 0)), "TIFF", (255, 0, 0)),
        (solid("CMYK", (0, 255, 255, 0)), "JPEG", (255, 0, 0)),
        (Pillow.fromarray(np.full((6, 8), 0x8000, np.uint16)), "PNG", (128, 128, 128)),
        (Pillow.fromarray(np.full((6, 8), 0x00FF, np.uint16)), "PNG", (0, 0, 0)),
        (Pillow.fromarray(np.full((6, 8), 0xFFFF, np.uint16)), "TIFF", (255, 255, 255)),
        (Pillow.fromarray(np.full((6, 8), 0x4000, np.int32)), "TIFF", (64, 64, 64)),
    ],
    ids=lambda value: value.mode if isinstance(value, Pillow.Image) else None,
)
def test_every_mode_becomes_rgb(picture, kind, expected):
    decoded = decode_bytes(encoded(picture, kind), NAME)
    assert decoded.image.shape == (6, 8, 3)
    np.testing.assert_allclose(decoded.image.reshape(-1, 3), np.tile(expected, (48, 1)), atol=2)


def test_first_frame_of_an_animation_is_taken():
    content = encoded(solid("RGB", RED), "PNG", save_all=True, append_images=[solid("RGB", BLUE)])
    np.testing.assert_array_equal(decode_bytes(content, NAME).image[0, 0], RED)


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
    ],
)
def test_bad_file_is_named_with_its_reason(content, reason):
    with pytest.raises(BadFile) as caught:
        decode_bytes(content, NAME)
    assert caught.value.reason == reason
    assert caught.value.path == NAME


def test_limit_of_pixels_is_ten_times_the_largest_picture_of_isic():
    assert MAX_PIXELS > 9 * 31_000_000


def test_missing_file_and_folder_are_bad_files(tmp_path):
    with pytest.raises(BadFile, match="No such file"):
        decode(tmp_path / "missing.jpg")
    with pytest.raises(BadFile, match="Is a directory"):
        decode(tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP"])
def test_damaged_bytes_never_raise_anything_but_a_bad_file(kind):
    rng = np.random.default_rng(0)
    exif = Pillow.Exif()
    exif[0x0112] = 6
    content = np.frombuffer(encoded(quarters(), kind, **({} if kind == "BMP" else {"exif": exif})), np.uint8)
    for _ in range(150):
        damaged = content.copy()
        damaged[rng.integers(0, min(300, len(content)), 3)] = rng.integers(0, 256, 3)
        with contextlib.suppress(BadFile):
            decode_bytes(damaged.tobytes(), NAME, at_least=16)
