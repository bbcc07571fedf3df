"""HEIF (HEIC), as phones take it: upright once, eight bits, no alpha, the primary picture."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from lesionctl.errors import BadFile
from lesionctl.imaging.decode import decode_bytes

pillow_heif = pytest.importorskip("pillow_heif")

RED, GREEN, BLUE, YELLOW = (250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0)
NAME = Path("picture.jpg")
CORNERS = {(16, 16): RED, (16, 80): GREEN, (48, 16): BLUE, (48, 80): YELLOW}


def quarters(height=64, width=96):
    """Red and green above blue and yellow."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2], picture[: height // 2, width // 2 :] = RED, GREEN
    picture[height // 2 :, : width // 2], picture[height // 2 :, width // 2 :] = BLUE, YELLOW
    return picture


def saved(*pictures, **options):
    """The bytes of a HEIC file."""
    file = pillow_heif.HeifFile()
    for picture in pictures:
        file.add_from_pillow(picture if isinstance(picture, Pillow.Image) else Pillow.fromarray(picture))
    content = io.BytesIO()
    file.save(content, quality=90, **options)
    return content.getvalue()


def assert_quarters(image):
    for (row, column), colour in CORNERS.items():
        np.testing.assert_allclose(image[row, column], colour, atol=20)


def test_colours_come_out_as_they_went_in():
    decoded = decode_bytes(saved(quarters()), NAME, at_least=16)
    assert decoded.image.shape == (64, 96, 3)
    assert (decoded.height, decoded.width) == (64, 96)
    assert decoded.image.dtype == np.uint8
    assert_quarters(decoded.image)


@pytest.mark.parametrize("brand", [b"mif1", b"heix", b"abcd"])  # the file's other brands tell what the first does not
def test_any_of_its_brands_tells_a_picture(brand):
    content = saved(quarters())
    assert content[8:12] == b"heic"
    assert_quarters(decode_bytes(content[:8] + brand + content[12:], NAME).image)


def turning(exif_orientation):
    """The bytes of a HEIC file with an EXIF orientation, and where in them is its own (angle of the `irot` box)."""
    picture = Pillow.fromarray(quarters())
    exif = Pillow.Exif()
    exif[0x0112] = exif_orientation
    picture.info["exif"] = exif.tobytes()
    content = saved(picture)
    assert b"\x01\x12\0\x03\0\0\0\x01\0" + bytes([exif_orientation]) in content
    return content, content.find(b"irot") + 4


@pytest.mark.parametrize("angle", [1, 2, 3])
def test_picture_is_turned_once_by_its_own_angle_and_not_by_its_exif_data(angle):
    content, place = turning(6)
    stored = decode_bytes(content[:place] + b"\0" + content[place + 1 :], NAME).image
    decoded = decode_bytes(content[:place] + bytes([angle]) + content[place + 1 :], NAME)
    np.testing.assert_array_equal(decoded.image, np.rot90(stored, angle))  # by 90° against the clock each
    assert (decoded.height, decoded.width) == decoded.image.shape[:2]


def test_ten_bits_become_eight():
    content = io.BytesIO()
    pixels = np.full((64, 64, 3), 0x9C40, np.uint16)  # 0x9C = 156
    pillow_heif.from_bytes("RGB;16", (64, 64), pixels.tobytes()).save(content, quality=-1)
    assert pillow_heif.open_heif(content, convert_hdr_to_8bit=False).info["bit_depth"] == 10
    np.testing.assert_allclose(decode_bytes(content.getvalue(), NAME).image, np.full((64, 64, 3), 156), atol=1)


def test_greys_become_rgb():
    image = decode_bytes(saved(Pillow.new("L", (64, 64), 77)), NAME).image
    np.testing.assert_allclose(image, np.full((64, 64, 3), 77), atol=2)


def test_alpha_is_dropped_and_not_blended():
    image = decode_bytes(saved(Pillow.new("RGBA", (64, 64), (*RED, 0))), NAME).image
    np.testing.assert_allclose(image, np.tile(RED, (64, 64, 1)), atol=12)


def test_primary_picture_of_several_is_taken():
    content = saved(Pillow.new("RGB", (32, 32), GREEN), quarters(), primary_index=1)
    decoded = decode_bytes(content, NAME)
    assert (decoded.height, decoded.width) == (64, 96)
    assert_quarters(decoded.image)


def test_thumbnail_inside_is_not_taken_for_the_picture():
    file = pillow_heif.from_pillow(Pillow.fromarray(quarters(480, 720)))
    content = io.BytesIO()
    file.info["thumbnails"] = [360]
    file.save(content, quality=90)
    assert pillow_heif.open_heif(content).info["thumbnails"]
    assert decode_bytes(content.getvalue(), NAME, at_least=64).image.shape == (480, 720, 3)


def test_size_is_looked_at_before_anything_is_decoded(monkeypatch):
    monkeypatch.setattr(pillow_heif.HeifImageFile, "load", lambda _: pytest.fail("it was decoded"))
    with pytest.raises(BadFile, match=r"claims 96×64 pixels, more than the limit of 6,143"):
        decode_bytes(saved(quarters()), NAME, max_pixels=6143)


def test_missing_package_is_a_reason_and_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(sys.modules, "lesionctl.imaging.heif", raising=False)
    with pytest.raises(BadFile) as caught:
        decode_bytes(saved(quarters()), NAME)
    assert caught.value.reason == (
        "a HEIC file needs the package 'pillow-heif', which is not installed: pip install 'lesionctl[heif]'"
    )


def test_cut_off_file_is_named_with_its_reason():
    content = saved(quarters())
    with pytest.raises(BadFile) as caught:
        decode_bytes(content[: len(content) // 2], NAME)
    assert caught.value.path == NAME
