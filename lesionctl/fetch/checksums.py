"""What a file's bytes are known by: their number, MD5 and SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from lesionctl.fetch.catalog import RemoteFile

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Digests:
    """What the bytes of a file are known by.

    Attributes:
        size: How many.
        md5: In hex.
        sha256: In hex.
    """

    size: int
    md5: str
    sha256: str

    def why_not(self, file: RemoteFile) -> str | None:
        """What tells these bytes from those of the catalog's file; None: nothing that is known of it."""
        if file.exact and self.size != file.size:
            return f"it has {self.size} bytes, not {file.size}"
        for name, expected in file.checksums.items():
            found = asdict(self)[name]
            if found != expected:
                return f"its {name.upper()} is {found}, not {expected}"
        return None


class Hasher:
    """Takes a file's bytes as they come."""

    def __init__(self) -> None:
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.size += len(chunk)
        self._md5.update(chunk)
        self._sha256.update(chunk)

    def digests(self) -> Digests:
        """What the bytes so far are known by."""
        return Digests(self.size, self._md5.hexdigest(), self._sha256.hexdigest())


def hash_file(path: Path, heard: Callable[[int], None] = lambda _: None) -> Hasher:
    """Read a file through.

    Args:
        path: The file.
        heard: Called with the number of bytes of every mebibyte that was read; may raise to stop.

    Returns:
        A hasher that has taken the whole file, and can take more.

    Raises:
        OSError: The file cannot be read.
    """
    hasher = Hasher()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
            heard(len(chunk))
    return hasher
