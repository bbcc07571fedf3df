"""HEIF files, as phones and cameras take them (HEIC): opened like any other picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pillow_heif import HeifImageFile

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile


def open_heif(content: bytes) -> ImageFile:
    """Open the content of a HEIF file; nothing is decoded yet.

    Of several pictures the primary one is taken. It comes upright, as the file's own turns (ISO 23008-12, `irot` and
    `imir`) say: its EXIF orientation only repeats them, and reads as 1. More than 8 bits are scaled to 8.

    Args:
        content: The file's bytes.

    Raises:
        Exception: Anything, where the file is damaged.
    """
    return HeifImageFile(io.BytesIO(content))  # type: ignore[no-untyped-call]
