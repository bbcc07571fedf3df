"""Opening a picture file: whatever is wrong with it becomes a reason that a person can act upon."""

from __future__ import annotations

import io
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import PIL.Image
from PIL import UnidentifiedImageError

from lesionctl.errors import BadFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL.ImageFile import ImageFile

MAX_PIXELS = 300_000_000
"""A picture that claims more pixels is refused: it is damaged, or made to exhaust memory."""

# The limit above is checked here, on every picture, before a pixel is decoded; Pillow's own would only warn.
PIL.Image.MAX_IMAGE_PIXELS = None

# What is wrong with a file becomes a reason here; Pillow's log would put it on the terminal a second time.
logging.getLogger("PIL").addHandler(logging.NullHandler())

# What Pillow may be asked to open, the likely first. It knows more, and runs Ghostscript on some of it.
_KINDS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "JPEG2000", "PPM")

# In what Pillow and pydicom say of a file that ends too early.
_SIGNS_OF_A_CUT = ("truncated", "Truncated", "less than expected")

_TIFF_BEGINNINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BITS_TAG, _PLANAR_TAG = 258, 284
_SEPARATE_PLANES = 2


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


@contextmanager
def open_picture(content: bytes, path: Path) -> Iterator[ImageFile]:
    """Open the content of any picture file but DICOM; whatever goes wrong in the block, too, becomes a reason.

    Args:
        content: The file's bytes.
        path: Its name, for messages.

    Raises:
        BadFile: The file is empty, cut off, damaged, of an unknown kind or too large.
    """
    with named_reasons(content, path), PIL.Image.open(io.BytesIO(content), formats=_KINDS) as picture:
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


@contextmanager
def named_reasons(content: bytes, path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises in the block into a `BadFile`.

    Args:
        content: The file's bytes.
        path: Its name, for messages.

    Raises:
        BadFile: The file is empty, or something was raised.
    """
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
        tiff_tag(picture, _PLANAR_TAG) == _SEPARATE_PLANES
        and tiff_tag(picture, _BITS_TAG) in ((16,) * 3, (16,) * 4)
        and picture.tile[0][0] == "raw"
    )


def tiff_tag(picture: PIL.Image.Image, tag: int) -> object:
    """The value of a TIFF's tag; None where it has none, or is no TIFF."""
    return getattr(picture, "tag_v2", {}).get(tag)
