"""Large pictures: given smaller, in little memory, and refused beyond a limit that can be moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from picture_files import STORED, encoded, png_header, quarters
from PIL import Image as Pillow

from lesionctl.errors import BadFile
from lesionctl.imaging.decode import decode, decode_bytes
from lesionctl.imaging.opening import MAX_PIXELS

NAME = Path("picture.jpg")


@pytest.mark.parametrize(
    ("at_least", "expected"),
    [
        (500, (525, 525, 3)),  # 4200 / 8
        (526, (1050, 1050, 3)),
        (2101, (4200, 4200, 3)),
        (None, (4200, 4200, 3)),
    ],
)
def test_large_picture_of_any_kind_is_given_smaller(at_least, expected):
    content = encoded(Pillow.new("L", (4200, 4200), 77), "PNG", compress_level=1)
    decoded = decode_bytes(content, NAME, at_least)
    assert decoded.image.shape == expected
    assert (decoded.height, decoded.width) == (4200, 4200)
    assert (decoded.image == 77).all()


@pytest.fixture
def all_are_large(monkeypatch):
    """Every picture counts as large, and is worked on in strips of eight rows."""
    monkeypatch.setattr("lesionctl.imaging.decode._LARGE", 0)
    monkeypatch.setattr("lesionctl.imaging.decode._STRIP", 1)


def noise(height=45, width=59):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("picture", "kind"),
    [
        (Pillow.fromarray(noise()), "PNG"),
        (Pillow.fromarray(noise()).convert("L"), "PNG"),
        (Pillow.fromarray(noise()).convert("1"), "PNG"),
        (Pillow.fromarray(noise()).convert("CMYK"), "TIFF"),
        (Pillow.fromarray(noise()).convert("RGBA"), "TIFF"),
        (Pillow.fromarray(noise()).convert("LA"), "PNG"),
        (Pillow.fromarray(noise()).quantize(64), "PNG"),
        (Pillow.fromarray(noise()[..., 0].astype(np.uint16) * 257), "PNG"),
        (Pillow.fromarray(noise()[..., 0].astype(">u2") * 257), "TIFF"),
        (Pillow.fromarray(noise()[..., 0].astype(np.int32) * 257), "TIFF"),
    ],
    ids=lambda value: value.mode if isinstance(value, Pillow.Image) else None,
)
def test_strips_of_a_large_picture_make_the_same_whole(picture, kind, all_are_large):
    image = decode_bytes(encoded(picture, kind), NAME).image
    rgb = Pillow.fromarray(noise()[..., 0]) if picture.mode.startswith("I") else picture
    np.testing.assert_array_equal(image, np.asarray(rgb.convert("RGB")))
    reduced = decode_bytes(encoded(picture, kind), NAME, at_least=20)  # 45 / 2 = 22.5 and 59 / 2 = 29.5
    np.testing.assert_array_equal(reduced.image, np.asarray(rgb.convert("RGB").reduce(2)))
    assert reduced.image.shape == (23, 30, 3)
    assert (reduced.height, reduced.width) == (45, 59)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_large_picture_is_upright(kind, orientation, all_are_large):
    stored = Pillow.fromarray(quarters())
    if STORED[orientation] is not None:
        stored = stored.transpose(STORED[orientation])
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    decoded = decode_bytes(
        encoded(stored, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {})), NAME, at_least=20
    )
    np.testing.assert_array_equal(decoded.image, quarters(20, 30))
    assert (decoded.height, decoded.width) == (40, 60)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_large_webp_is_the_same_whether_or_not_it_could_be_an_animation(mode, all_are_large, monkeypatch):
    alpha = np.linspace(0, 255, 45 * 59).reshape(45, 59, 1).astype(np.uint8)
    pixels = np.concatenate([noise(), alpha], axis=2) if mode == "RGBA" else noise()
    content = encoded(Pillow.fromarray(pixels), "WEBP", quality=80)
    large = decode_bytes(content, NAME).image
    monkeypatch.setattr("lesionctl.imaging.decode._LARGE", 10**6)
    np.testing.assert_array_equal(large, decode_bytes(content, NAME).image)


def test_damaged_large_webp_is_named(all_are_large):
    content = bytearray(encoded(noise(450, 590), "WEBP", lossless=True))
    with pytest.raises(BadFile, match=r"cut off|cannot be decoded|not a picture"):
        decode_bytes(bytes(content[:-100]), NAME)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF"])
def test_limit_of_pixels_can_be_moved(kind):
    content = encoded(quarters(), kind)
    assert decode_bytes(content, NAME, max_pixels=2400).image.shape == (40, 60, 3)
    with pytest.raises(BadFile, match=r"claims 60×40 pixels, more than the limit of 2,399"):
        decode_bytes(content, NAME, max_pixels=2399)


def test_limit_of_pixels_can_be_raised_for_a_file(tmp_path):
    (tmp_path / "large.png").write_bytes(png_header(20_000, 20_000))
    with pytest.raises(BadFile, match="more than the limit of 300,000,000"):
        decode(tmp_path / "large.png")
    with pytest.raises(BadFile, match="cut off"):  # past the limit, there is nothing in it
        decode(tmp_path / "large.png", max_pixels=400_000_000)


@pytest.mark.parametrize(("width", "height"), [(65_501, 2), (2, 1_200_000)])
def test_side_that_nothing_could_write_is_refused(width, height):
    with pytest.raises(BadFile, match=rf"claims {width}×{height} pixels: no side may have more than 65,500"):
        decode_bytes(png_header(width, height), NAME, max_pixels=10**12)


def test_limit_of_pixels_is_ten_times_the_largest_picture_of_isic():
    assert MAX_PIXELS > 9 * 31_000_000
