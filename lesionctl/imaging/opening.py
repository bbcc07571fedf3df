"""Opening a picture file: whatever is wrong with it becomes a reason that a person can act upon."""

from __future__ import annotations

import io
import logging
import textwrap
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import PIL.Image
from PIL import UnidentifiedImageError, features

from lesionctl.errors import BadFile, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL.ImageFile import ImageFile

MAX_PIXELS = 300_000_000
"""A picture that claims more pixels is refused, unless more are asked for: it is damaged, or made to exhaust memory."""

MAX_SIDE = 65_500
"""No picture may have a longer side, in pixels: JPEG encoders take no more, and nothing that shows a lesion has it."""

# The limits above are checked here, on every picture, before a pixel is decoded; Pillow's own would only warn.
PIL.Image.MAX_IMAGE_PIXELS = None

# What is wrong with a file becomes a reason here; Pillow's log and warnings would put it on the terminal a second time.
logging.getLogger("PIL").addHandler(logging.NullHandler())
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.", append=True)

# What Pillow may be asked to open, the likely first. It knows more, and runs Ghostscript on some of it.
_KINDS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "JPEG2000", "PPM")

# In what Pillow and pydicom say of a file that ends too early.
_SIGNS_OF_A_CUT = ("truncated", "Truncated", "less than expected")

_LONGEST_REASON = 160

# What the header of a file in boxes (ISO 14496-12) calls itself: pictures of HEIF (ISO 23008-12) and of AVIF.
_BOX_OF_BRANDS = b"ftyp"
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1"}
)

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
def open_picture(content: bytes, path: Path, max_pixels: int = MAX_PIXELS) -> Iterator[ImageFile]:
    """Open the content of any picture file but DICOM; whatever goes wrong in the block, too, becomes a reason.

    Args:
        content: The file's bytes.
        path: Its name, for messages.
        max_pixels: The limit of its size.

    Raises:
        BadFile: The file is empty, cut off, damaged, of an unknown kind or too large, or a package that its kind needs
            is not installed.
    """
    with named_reasons(content, path), _open(content, path) as picture:
        check_size(path, *picture.size, max_pixels)
        if _is_misread(picture):
            raise BadFile(path, "a TIFF of 16-bit planes without compression: store its colours interleaved")
        yield picture


def check_size(path: Path, width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse a picture of more than `max_pixels`, or with a side longer than `MAX_SIDE`.

    Raises:
        BadFile: It has more.
    """
    if width * height > max_pixels:
        raise BadFile(path, f"claims {width}×{height} pixels, more than the limit of {max_pixels:,}")
    if max(width, height) > MAX_SIDE:
        raise BadFile(path, f"claims {width}×{height} pixels: no side may have more than {MAX_SIDE:,}")


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


def _open(content: bytes, path: Path) -> ImageFile:
    brands = _brands(content)
    if brands & _AVIF_BRANDS:
        if "avif" not in features.get_supported():
            raise BadFile(path, "an AVIF file, which this Pillow cannot read: pip install 'pillow>=11.3'")
        return PIL.Image.open(io.BytesIO(content), formats=("AVIF",))
    if brands & _HEIF_BRANDS:
        return _open_heif(content, path)
    return PIL.Image.open(io.BytesIO(content), formats=_KINDS)


def _open_heif(content: bytes, path: Path) -> ImageFile:
    try:
        from lesionctl.imaging.heif import open_heif
    except ImportError as error:
        missing = MissingExtra("pillow-heif", "heif", "a HEIC file")
        raise BadFile(path, f"{missing.what}: {missing.hint}") from error
    return open_heif(content)


def _brands(content: bytes) -> set[bytes]:
    """What a file in boxes says that it is; nothing of any other file."""
    if content[4:8] != _BOX_OF_BRANDS:
        return set()
    end = min(int.from_bytes(content[:4]), 256)  # a file has a handful; a damaged header may claim any number
    return {content[8:12], *(content[start : start + 4] for start in range(16, end, 4))}


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    if any(sign in text for sign in _SIGNS_OF_A_CUT):
        return "the file is cut off: its end is missing"
    return f"cannot be decoded ({textwrap.shorten(text, _LONGEST_REASON, placeholder=' …')})"


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
