"""Whether a picture is still the one that a mask was made of."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Signature(NamedTuple):
    """What tells a picture file from every other that may take its place.

    Size and time of the last change do not: of a folder of uncompressed pictures out of one archive all have the same.

    Attributes:
        size: In bytes.
        modified: When its content changed last, in nanoseconds; copies may keep it.
        touched: When anything about it changed last, in nanoseconds: of a copy, when it was made. Files that are made
            within some milliseconds have the same.
        inode: Which file of its file system it is.
        content: A digest of its bytes.
    """

    size: int
    modified: int
    touched: int
    inode: int
    content: str = ""

    def is_of(self, image: Path) -> bool | None:
        """Whether a file is the picture, or a copy of it; None where it cannot be read. Of a copy, all is read."""
        now = glance(image)
        if now is None:
            return None
        if (now.size, now.modified) != (self.size, self.modified):
            return False
        try:
            return now == self._replace(content="") or _digest(image) == self.content
        except OSError:
            return None


NOBODY = Signature(-1, -1, -1, -1)
"""The signature of no picture at all."""


def glance(image: Path) -> Signature | None:
    """The signature of a picture without its content; None where nothing can be told of it."""
    try:
        status = image.stat()
    except OSError:
        return None
    return Signature(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def sign(image: Path, before: Signature) -> Signature:
    """Complete a signature with the content.

    Args:
        image: The picture.
        before: From a `glance` before the picture was read.

    Returns:
        `NOBODY` where the picture has changed since: what was read may be another one, or half of each.
    """
    try:
        content = _digest(image)
    except OSError:
        return NOBODY
    return before._replace(content=content) if glance(image) == before else NOBODY


def _digest(image: Path) -> str:
    with image.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
