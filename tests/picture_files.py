"""Small picture files that the tests of several modules make."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image as Pillow

RED, GREEN, BLUE, YELLOW = (250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0)

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
