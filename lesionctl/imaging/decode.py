"""One decoder for every subcommand: any picture file → upright RGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from lesionctl.errors import BadFile, MissingExtra
from lesionctl.imaging.opening import is_dicom, named_reasons, open_picture, read_file, tiff_tag

if TYPE_CHECKING:
    from pathlib import Path

    from lesionctl.imaging.arrays import Image

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".jp2", ".dcm", ".dicom"}
)

DEEP_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
"""Pillow's modes of grey pictures with more than 8 bits."""

_PHOTOMETRIC_TAG, _WHITE_IS_ZERO = 262, 0

_ORIENTATION_TAG = 0x0112
_TRANSPOSED = frozenset({5, 6, 7, 8})  # EXIF orientations that swap height and width

Pixels = TypeVar("Pixels", NDArray[np.uint8], NDArray[np.uint16], NDArray[np.uint8] | NDArray[np.uint16])


@dataclass(frozen=True)
class Decoded:
    """A picture, and the size that it has in its file.

    Attributes:
        image: uint8 `[h, w, 3]`, upright; smaller than `height` × `width` where less was asked for.
        height: Height in pixels of the upright picture in the file.
        width: Width in pixels of the upright picture in the file.
    """

    image: Image
    height: int
    width: int


def decode(path: Path, at_least: int | None = None) -> Decoded:
    """Read and decode a picture file; see `decode_bytes`."""
    return decode_bytes(read_file(path), path, at_least)


def decode_bytes(content: bytes, path: Path, at_least: int | None = None) -> Decoded:
    """Decode the content of a picture file into upright RGB.

    Args:
        content: The file's bytes; they decide what kind it is, the name does not.
        path: Its name, for messages.
        at_least: A side in pixels: a JPEG is decoded at the smallest of its scales (1/8, 1/4, 1/2, 1) that keeps both
            sides at least this long, which is much faster than decoding it whole.

    Returns:
        The picture; 16-bit values are scaled to 8 bits, alpha is dropped and not blended, colour profiles are not
        applied, and of several frames or pages the first is taken.

    Raises:
        BadFile: The file is empty, cut off, damaged, of an unknown kind or too large, or a package that its kind needs
            is not installed.
    """
    if is_dicom(content):
        image = _decode_dicom(content, path)
        return Decoded(image, *image.shape[:2])
    with open_picture(content, path) as picture:
        stored = picture.size
        if at_least is not None:
            picture.draft("RGB", (at_least, at_least))  # JPEG only; others ignore it
        is_smaller = picture.size != stored
        orientation = read_orientation(picture)
        image = turn_upright(_rgb(picture, path), orientation)
        height, width = image.shape[:2]
        if is_smaller:
            height, width = stored if orientation in _TRANSPOSED else stored[::-1]
        return Decoded(image, height, width)


def read_orientation(picture: PIL.Image.Image) -> int:
    """How `turn_upright` has to turn the pixels of an open picture: its EXIF orientation, 1 where it has none.

    A picture is read to its end first: Pillow turns a TIFF by itself then, and a PNG may have its EXIF data there.
    """
    picture.load()
    try:
        return int(picture.getexif().get(_ORIENTATION_TAG, 1))
    except (SyntaxError, TypeError, ValueError):  # what a camera garbled beside the picture does not spoil it
        return 1


def turn_upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn a picture as its EXIF orientation says (CIPA DC-008, tag 0x0112).

    Args:
        pixels: `[H, W]` or `[H, W, C]`.
        orientation: 1 to 8; anything else means nothing, like 1.
    """
    if orientation in _TRANSPOSED:
        pixels = cast("Pixels", cv2.transpose(pixels))
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return pixels if flip is None else cast("Pixels", cv2.flip(pixels, flip))


def deep_levels(picture: PIL.Image.Image, path: Path) -> NDArray[np.uint16]:
    """The grey levels of a picture in one of `DEEP_MODES`.

    Returns:
        uint16 `[H, W]`: 0 is black, 65535 white.

    Raises:
        BadFile: They are 32-bit numbers beyond 65535, of which nobody knows which is white.
    """
    levels = np.asarray(picture)
    if levels.dtype.itemsize > 2:  # Pillow widens signed 16-bit numbers to 32 bits
        if levels.max() > 0xFFFF or levels.min() < -0x8000:
            raise BadFile(path, "holds 32-bit numbers, which have no agreed range")
        levels = levels.clip(0)
    levels = levels.astype(np.uint16)
    # Pillow inverts what is stored with white as 0 up to 8 bits, and forgets it beyond.
    return ~levels if tiff_tag(picture, _PHOTOMETRIC_TAG) == _WHITE_IS_ZERO else levels


def convert_opaque(picture: PIL.Image.Image, mode: str) -> PIL.Image.Image:
    """A picture that was read in another mode ("L" or "RGB"), its transparency dropped."""
    picture.info.pop("transparency", None)  # Pillow warns of what it would drop
    return picture.convert(mode)


def _rgb(picture: PIL.Image.Image, path: Path) -> Image:
    if picture.mode == "F":
        raise BadFile(path, "holds floating-point pixels, which have no agreed range")
    if picture.mode in DEEP_MODES:
        grey = (deep_levels(picture, path) >> 8).astype(np.uint8)
        return cast("Image", cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB))
    return np.asarray(picture if picture.mode == "RGB" else convert_opaque(picture, "RGB"))


def _decode_dicom(content: bytes, path: Path) -> Image:
    try:
        from lesionctl.imaging.dicom import decode_dicom
    except ImportError as error:
        missing = MissingExtra("pydicom", "dicom", "a DICOM file")
        raise BadFile(path, f"{missing.what}: {missing.hint}") from error
    with named_reasons(content, path):
        return decode_dicom(content, path)
