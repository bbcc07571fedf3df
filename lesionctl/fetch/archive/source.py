"""What files are unpacked from, whatever its format: a list of members, and the bytes of each.

Nothing here writes. What a list says of its members is passed on as it stands, for `extract` to judge; what cannot be
read becomes a `BadFile` that names the archive and, where one is at fault, the member.
"""

from __future__ import annotations

import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar

from lesionctl.errors import BadFile

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from lesionctl.progress import Progress

_CHUNK = 1 << 20
_LONGEST_SHOWN = 200

DAMAGE: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    OverflowError,
    NotImplementedError,
    RecursionError,
)
"""What the standard library raises when it parses bytes that nobody wrote on purpose."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive's list, as the archive has it.

    Attributes:
        name: Its path, not yet trusted.
        size: Bytes when unpacked, as declared.
        is_directory: It has no content of its own.
        fault: Why it is not unpacked, to be read after its name, such as "is a symbolic link"; None if it can be.
        handle: What its source finds its bytes by.
    """

    name: str
    size: int
    is_directory: bool
    fault: str | None
    handle: Any


class Source(ABC):
    """Where files are unpacked from.

    Attributes:
        path: The archive or folder.
        packed_size: Bytes of the archive; None for a folder, which cannot unpack to more than it is.
        advice: What a person can do when a member is refused.
        damaged: What a person can do when it cannot be read.
    """

    advice: ClassVar[str] = "if you trust it, unpack it by hand and give the folder instead"
    damaged: str | None = "it is damaged or cut short: download it again"

    def __init__(self, path: Path, progress: Progress) -> None:
        self.path = path
        self.packed_size: int | None = path.stat().st_size
        self._progress = progress
        self._open_files = ExitStack()
        self._damage = DAMAGE

    def members(self) -> Generator[Member, None, None]:
        """Read the archive's list, in its order; to be read once, and before the bytes of any member.

        Raises:
            BadFile: The list cannot be read, or contradicts itself.
            LesionctlError: What is needed to read it is not installed.
        """
        try:
            yield from self._members()
        except self._damage as error:
            raise BadFile(
                self.path, f"its list of members cannot be read ({reason_of(error)})", self.damaged
            ) from error

    def chunks(self, member: Member) -> Iterator[bytes]:
        """Read the bytes of a member, at most 1 MiB at a time.

        Raises:
            BadFile: They are damaged or missing.
        """
        try:
            with self._open(member) as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        except self._damage as error:
            reason = f"its member {quoted(member.name)} cannot be read ({reason_of(error)})"
            raise BadFile(self.path, reason, self.damaged) from error

    def originals(self, members: Iterable[Member]) -> set[Path]:
        """The files that are read, none of which may be replaced."""
        return {self.path.resolve()}

    def close(self) -> None:
        """Close what was opened."""
        self._open_files.close()

    @abstractmethod
    def _members(self) -> Iterator[Member]: ...

    @abstractmethod
    def _open(self, member: Member) -> IO[bytes]: ...


class FolderSource(Source):
    """The files below a folder, by name."""

    advice = "put the file itself there"
    damaged = None

    def __init__(self, path: Path, progress: Progress) -> None:
        super().__init__(path, progress)
        self.packed_size = None

    def _members(self) -> Iterator[Member]:
        def stop(error: OSError) -> None:
            raise error

        for folder, folders, files in os.walk(self.path, onerror=stop):
            folders.sort()
            for name in sorted(files) + [name for name in folders if Path(folder, name).is_symlink()]:
                path = Path(folder, name)
                status = path.lstat()
                yield Member(
                    path.relative_to(self.path).as_posix(), status.st_size, False, fault_of_mode(status.st_mode), path
                )

    def originals(self, members: Iterable[Member]) -> set[Path]:
        """The files of the folder."""
        return {self.path.resolve() / member.name for member in members}

    def _open(self, member: Member) -> IO[bytes]:
        path: Path = member.handle
        return path.open("rb")


def printable(text: str) -> str:
    """Text from an archive as it can be shown: what could steer a terminal is escaped, and it is not too long."""
    text = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def quoted(name: str) -> str:
    """The name of a member as it can be shown, in quotation marks."""
    return f"'{printable(name)}'"


def reason_of(error: Exception) -> str:
    """What a library says is wrong, which may hold names from the archive."""
    return printable(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def fault_of_mode(mode: int) -> str | None:
    """What is wrong with a member of these Unix file attributes; 0 where the archive has none."""
    if stat.S_ISLNK(mode):
        return "is a symbolic link"
    return None if stat.S_IFMT(mode) in (0, stat.S_IFREG, stat.S_IFDIR) else "is a device or a pipe"
