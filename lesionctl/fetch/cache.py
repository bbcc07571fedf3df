"""The cache of downloaded files: each under its own name once it is whole and verified, and never before."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lesionctl.errors import BadFile, LesionctlError
from lesionctl.fetch.catalog import RemoteFile
from lesionctl.fetch.checksums import Digests, hash_file
from lesionctl.paths import CACHE_VARIABLE

_POLL = 0.2  # seconds between two looks at a lock that another job holds


class Cache:
    """A folder of downloaded files. Several jobs may use it at once; one that may only read it can do so.

    Beside `X` stand, hidden, `.X.json` (what X was known by when it was last read through, and the size and time of
    the file that this was found in) and `.X.lock`; while it comes in, `X.part` and `.X.part.json`.

    Args:
        directory: Where the files are; need not exist.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, file: RemoteFile) -> Path:
        """Where the file is, or will be."""
        return self.directory / file.name

    def part(self, file: RemoteFile) -> Path:
        """Where the file grows while it comes in."""
        return self.directory / f"{file.name}.part"

    def find(self, file: RemoteFile, heard: Callable[[int], None] = lambda _: None) -> tuple[Path, Digests] | None:
        """The file, if it is here, and what it is known by.

        Args:
            file: As the catalog has it.
            heard: Called with the number of bytes while the file is read through, where nobody did that before.

        Returns:
            The file, verified; None: it is not here.

        Raises:
            BadFile: It is here, and is not the catalog's.
        """
        path = self.path(file)
        try:
            digests = self._recall(file) or hash_file(path, heard).digests()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadFile(path, f"cannot be read ({error.strerror})") from error
        if reason := digests.why_not(file):
            raise BadFile(path, f"is not the file that it should be: {reason}")
        with suppress(OSError):  # a cache that may only be read; the next job reads the file through again
            self.remember(file, digests)
        return path, digests

    def remember(self, file: RemoteFile, digests: Digests) -> None:
        """Keep what the file is known by, so that it need not be read through again as long as nobody touches it.

        Raises:
            OSError: The cache may only be read.
        """
        record = asdict(digests) | {"mtime_ns": self.path(file).stat().st_mtime_ns}
        if self._record(file) != record:
            # Not beside and renamed: a kill would leave a stray file, and half a record is no JSON and counts as none.
            self._record_path(file).write_text(json.dumps(record))

    def drop(self, file: RemoteFile) -> None:
        """Remove the file.

        Raises:
            OSError: The cache may only be read.
        """
        for path in (self._record_path(file), self.path(file)):
            path.unlink(missing_ok=True)

    def require_writable(self) -> None:
        """Make the folder if it is missing, and see whether files can be written to it.

        Raises:
            LesionctlError: They cannot.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.directory):
                pass
        except OSError as error:
            raise LesionctlError(
                f"nothing can be written to the cache {self.directory} ({error.strerror})",
                hint=f"name a folder of your own for the cache in {CACHE_VARIABLE}",
            ) from error

    @contextmanager
    def lock(self, file: RemoteFile, waiting: Callable[[bool], None]) -> Iterator[None]:
        """Be the only job that works on the file, once the others are done with it.

        Args:
            file: As the catalog has it.
            waiting: Called again and again while another job holds the lock, with True at the first time; may raise
                to stop.
        """
        with hold(self.directory / f".{file.name}.lock", waiting):
            yield

    def _recall(self, file: RemoteFile) -> Digests | None:
        """What the file was known by when somebody read it through, if nobody has touched it since."""
        record = self._record(file)
        stat = self.path(file).stat()
        if record is None or (record["size"], record["mtime_ns"]) != (stat.st_size, stat.st_mtime_ns):
            return None
        return Digests(record["size"], record["md5"], record["sha256"])

    def _record(self, file: RemoteFile) -> dict[str, Any] | None:
        try:
            record = json.loads(self._record_path(file).read_text())
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) and {"size", "mtime_ns", "md5", "sha256"} <= set(record) else None

    def _record_path(self, file: RemoteFile) -> Path:
        return self.directory / f".{file.name}.json"


@contextmanager
def hold(path: Path, waiting: Callable[[bool], None]) -> Iterator[None]:
    """Hold a lock, once the others have let go of it; the file stays.

    Args:
        path: The file of the lock.
        waiting: Called again and again while another job holds the lock, with True at the first time; may raise to
            stop.
    """
    lock = FileLock(path)
    first = True
    while not lock.is_locked:
        try:
            lock.acquire(timeout=0 if first else _POLL)
        except Timeout:
            waiting(first)
            first = False
    try:
        yield
    finally:
        lock.release()
