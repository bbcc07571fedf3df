"""The mark in a picture that this program made of another, by which it is known again wherever it was moved to."""

from __future__ import annotations

import struct
import zlib
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# The mark comes first of all that may be left out: after a PNG's header, and after the JFIF header of a JPEG.
_PNG, _PNG_HEAD = b"\x89PNG\r\n\x1a\n", 33
_JPEG, _JPEG_HEAD = b"\xff\xd8\xff\xe0\0\x10JFIF\0", 20
_TEXT, _COMMENT = b"tEXtSoftware\0", b"\xff\xfe"
_WORDS = b"lesionctl: "
_ENOUGH = 96  # bytes of a file in which its mark ends


class Made(StrEnum):
    """What this program makes of pictures."""

    MASK = "mask"
    OVERLAY = "overlay"
    PROBABILITIES = "probabilities"
    CONTACT_SHEET = "contact sheet"


def mark(content: bytes, made: Made) -> bytes:
    """Write into a picture what it is; its pixels stay as they are.

    Args:
        content: The bytes of a PNG, or of a JPEG with a JFIF header.
        made: What it is.
    """
    words = _WORDS + made.encode()
    if content.startswith(_PNG):
        text = _TEXT + words
        chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
        return content[:_PNG_HEAD] + chunk + content[_PNG_HEAD:]
    return content[:_JPEG_HEAD] + _COMMENT + struct.pack(">H", len(words) + 2) + words + content[_JPEG_HEAD:]


def mark_of(path: Path) -> Made | None:
    """What this program made a file as; None for any other file, and for one that cannot be read.

    A picture that another program saved anew is that program's: it has the mark elsewhere, or no more.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(_ENOUGH)
    except OSError:
        return None
    if beginning.startswith(_PNG):
        beginning = beginning[_PNG_HEAD:]
        length, start = int.from_bytes(beginning[:4], "big") - len(_TEXT) + 4, 4 + len(_TEXT)
        kind = beginning[4:start] == _TEXT
    elif beginning.startswith(_JPEG):
        beginning = beginning[_JPEG_HEAD:]
        length, start = int.from_bytes(beginning[2:4], "big") - 2, 4
        kind = beginning[:2] == _COMMENT
    else:
        return None
    words = beginning[start : start + length] if kind else b""
    return next((made for made in Made if words == _WORDS + made.encode()), None)
