"""A file that is coming in: what has come survives any end of the program, and the next run goes on from it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from lesionctl.fetch.checksums import Digests, Hasher, hash_file


@dataclass(frozen=True)
class Origin:
    """The answer that a part is the beginning of.

    Attributes:
        address: Who answered.
        validator: A strong ETag, or else the time of the last change: by it a server knows whether the file is still
            the same (If-Range). None: it gave neither.
        total: Bytes of the whole, if it said so.
    """

    address: str
    validator: str | None
    total: int | None

    def differs_from(self, other: Origin) -> bool:
        """Whether the two are known to be answers about different files."""
        same_address = self.address == other.address
        return (
            same_address and None not in (self.validator, other.validator) and self.validator != other.validator
        ) or (None not in (self.total, other.total) and self.total != other.total)


class Part:
    """The beginning of a file, on disk; to be used as a context manager.

    Every chunk is handed to the system as it comes, so that a kill loses nothing that was appended.

    Args:
        path: Of the part; where it came from is kept beside it.

    Attributes:
        origin: Where it came from; None: nobody knows.
        in_pieces: Whether it may have been put together from several answers.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.origin: Origin | None = None
        self.in_pieces = False
        self._notes = path.parent / f".{path.name}.json"
        self._hasher = Hasher()

    def __enter__(self) -> Self:
        """Open it, or make it empty.

        Raises:
            OSError: It cannot be written to.
        """
        self._file = self.path.open("ab")
        with suppress(OSError, ValueError, TypeError):
            self.origin = Origin(**json.loads(self._notes.read_text()))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Close it; an empty one leaves nothing behind."""
        self._file.close()
        with suppress(FileNotFoundError):
            if not self.path.stat().st_size:
                self._remove()

    @property
    def size(self) -> int:
        """Bytes so far, once they were read."""
        return self._hasher.size

    def read(self, heard: Callable[[int], None]) -> None:
        """Read through what an earlier run left.

        Args:
            heard: Called with the number of bytes as they are read; may raise to stop.

        Raises:
            OSError: It cannot be read.
        """
        self._hasher = hash_file(self.path, heard)
        self.in_pieces = self.size > 0

    def restart(self, origin: Origin | None) -> None:
        """Throw away what has come, and begin anew.

        Args:
            origin: Where the next bytes come from; None: they have yet to be asked for.

        Raises:
            OSError: It cannot be written to.
        """
        self._file.truncate(0)
        self._hasher = Hasher()
        self.origin, self.in_pieces = origin, False
        if origin:
            # Not beside and renamed: a kill would leave a stray file, and half a note is no JSON and counts as none.
            self._notes.write_text(json.dumps(asdict(origin)))

    def append(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            OSError: The disk is full.
        """
        self._file.write(chunk)
        self._file.flush()
        self._hasher.update(chunk)

    def digests(self) -> Digests:
        """What the bytes so far are known by."""
        return self._hasher.digests()

    def finish(self, path: Path) -> None:
        """Give it its final name; nothing can be appended after that.

        Raises:
            OSError: The disk is full, or the place cannot be written to.
        """
        os.fsync(self._file.fileno())
        self._file.close()
        self.path.replace(path)
        self._notes.unlink(missing_ok=True)

    def _remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)
