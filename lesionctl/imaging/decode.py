"""One decoder for every subcommand: any picture file → upright RGB."""

from __future__ import annotations

import io
import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from lesionctl.errors import BadFile, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL.ImageFile import ImageFile

    from lesionctl.imaging.arrays import Image

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".jp2", ".dcm", ".dicom"}
)

MAX_PIXELS = 300_000_000
"""A picture that claims more pixels is refused: it is damaged, or made to exhaust memory."""

# The limit above is checked here, on every picture, before a pixel is decoded; Pillow's own would only warn.
PIL.Image.MAX_IMAGE_PIXELS = None

# What is wrong with a file becomes a reason here; Pillow's log would put it on the terminal a second time.
logging.getLogger("PIL").addHandler(logging.NullHandler())

# What Pillow may be asked to open, the likely first. It knows more, and runs Ghostscript on some of it.
_KINDS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "JPEG2000", "PPM")

DEEP_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
"""Pillow's modes of grey pictures with more than 8 bits."""

# In what Pillow and pydicom say of a file that ends too early.
_SIGNS_OF_A_CUT = ("truncated", "Truncated", "less than expected")

_TIFF_BEGINNINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BITS_TAG, _PHOTOMETRIC_TAG, _PLANAR_TAG = 258, 262, 284
_WHITE_IS_ZERO, _SEPARATE_PLANES = 0, 2

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


def read_file(path: Path) -> bytes:
    """The content of a file.

    Raises:
        BadFile: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror or error})") from error
    except ValueError as error:  # a name with a NUL in it
        raise BadFile(path, f"cannot be read ({error})") from error


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


@contextmanager
def open_picture(content: bytes, path: Path) -> Iterator[ImageFile]:
    """Open the content of any picture file but DICOM; whatever goes wrong in the block, too, becomes a reason.

    Args:
        content: The file's bytes.
        path: Its name, for messages.

    Raises:
        BadFile: The file is empty, cut off, damaged, of an unknown kind or too large.
    """
    with _named_reasons(content, path), PIL.Image.open(io.BytesIO(content), formats=_KINDS) as picture:
        check_size(path, *picture.size)
        if _is_misread(picture):
            raise BadFile(path, "a TIFF of 16-bit planes without compression: store its colours interleaved")
        yield picture


def check_size(path: Path, width: int, height: int) -> None:
    """Refuse a picture of more than `MAX_PIXELS`.

    Raises:
        BadFile: It has more.
    """
    if width * height > MAX_PIXELS:
        raise BadFile(path, f"claims {width}×{height} pixels, more than the limit of {MAX_PIXELS:,}")


def is_dicom(content: bytes) -> bool:
    """Whether this is the content of a DICOM file."""
    return content[128:132] == b"DICM"


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
    return ~levels if _tiff_tag(picture, _PHOTOMETRIC_TAG) == _WHITE_IS_ZERO else levels


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
    with _named_reasons(content, path):
        return decode_dicom(content, path)


@contextmanager
def _named_reasons(content: bytes, path: Path) -> Iterator[None]:
    if not content:
        raise BadFile(path, "the file is empty")
    try:
        yield
    except BadFile:
        raise
    except UnidentifiedImageError as error:
        reason = "not a picture of a kind that can be read"
        if content.startswith(_TIFF_BEGINNINGS):
            reason = "a TIFF that is damaged, or of a kind that cannot be read: try 8 or 16 bits per colour"
        raise BadFile(path, reason) from error
    except Exception as error:  # on damaged bytes, decoders raise anything
        raise BadFile(path, _reason(error)) from error


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    if any(sign in text for sign in _SIGNS_OF_A_CUT):
        return "the file is cut off: its end is missing"
    return f"cannot be decoded ({text})"


def _is_misread(picture: ImageFile) -> bool:
    """Whether Pillow would take each half of a 16-bit value for a pixel."""
    return (
        _tiff_tag(picture, _PLANAR_TAG) == _SEPARATE_PLANES
        and _tiff_tag(picture, _BITS_TAG) in ((16,) * 3, (16,) * 4)
        and picture.tile[0][0] == "raw"
    )


def _tiff_tag(picture: PIL.Image.Image, tag: int) -> object:
    return getattr(picture, "tag_v2", {}).get(tag)
