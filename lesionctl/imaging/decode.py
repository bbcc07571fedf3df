"""One decoder for every subcommand: any picture file → upright RGB."""

from __future__ import annotations

import io
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
from PIL import ImageOps, UnidentifiedImageError

from lesionctl.errors import BadFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lesionctl.imaging.arrays import Image

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})

MAX_PIXELS = 300_000_000
"""A picture that claims more pixels is refused: it is damaged, or made to exhaust memory."""

# The limit above is checked here, on every picture, before a pixel is decoded; Pillow's own would only warn.
PIL.Image.MAX_IMAGE_PIXELS = None

_ORIENTATION_TAG = 0x0112
_TRANSPOSED = frozenset({5, 6, 7, 8})  # EXIF orientations that swap height and width
_DEEP_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})


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


def decode(path: Path, at_least: int | None = None) -> Decoded:
    """Read and decode a picture file; see `decode_bytes`."""
    return decode_bytes(read_file(path), path, at_least)


def decode_bytes(content: bytes, path: Path, at_least: int | None = None) -> Decoded:
    """Decode the content of a picture file into upright RGB.

    Args:
        content: The file's bytes.
        path: Its name, for messages.
        at_least: A side in pixels: a JPEG is decoded at the smallest of its scales (1/8, 1/4, 1/2, 1) that keeps both
            sides at least this long, which is much faster than decoding it whole.

    Returns:
        The picture; 16-bit greys are scaled to 8 bits, alpha is dropped, of an animation the first frame is taken.

    Raises:
        BadFile: The file is empty, cut off, damaged, of an unknown kind or too large.
    """
    with open_picture(content, path) as picture:
        if picture.mode == "F":
            raise BadFile(path, "holds floating-point pixels, which have no agreed range")
        stored = picture.size
        is_turned = picture.getexif().get(_ORIENTATION_TAG) in _TRANSPOSED
        if at_least is not None:
            picture.draft("RGB", (at_least, at_least))  # JPEG only; others ignore it
        is_smaller = picture.size != stored
        image = np.asarray(_to_rgb(ImageOps.exif_transpose(picture)))
        height, width = image.shape[:2]  # Pillow turns a TIFF, and its size, by itself
        if is_smaller:
            height, width = stored if is_turned else stored[::-1]
        return Decoded(image, height, width)


@contextmanager
def open_picture(content: bytes, path: Path) -> Iterator[PIL.Image.Image]:
    """Open the content of any picture file; whatever goes wrong in the block, too, becomes a reason.

    Args:
        content: The file's bytes.
        path: Its name, for messages.

    Raises:
        BadFile: The file is empty, cut off, damaged, of an unknown kind or too large.
    """
    if not content:
        raise BadFile(path, "the file is empty")
    try:
        with PIL.Image.open(io.BytesIO(content)) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise BadFile(path, f"claims {width}×{height} pixels, more than the limit of {MAX_PIXELS:,}")
            yield picture
    except UnidentifiedImageError as error:
        raise BadFile(path, "not a picture of a kind that can be read") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, OverflowError, struct.error, MemoryError) as error:
        raise BadFile(path, _reason(error)) from error


def _to_rgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    if picture.mode in _DEEP_MODES:
        deep = np.asarray(picture).astype(np.int64)
        picture = PIL.Image.fromarray(np.clip(deep >> 8, 0, 255).astype(np.uint8))
    return picture.convert("RGB")


def _reason(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    if "truncated" in text or "Truncated" in text:
        return "the file is cut off: its end is missing"
    return f"cannot be decoded ({text})"
