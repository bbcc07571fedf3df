"""Unpacking: the files of an archive on disk, none outside the folder meant for them, all of them or none.

Whatever the list of an archive tells is judged before the first byte is written, for members that are not wanted too:
an archive with a hostile entry is not one to take pictures from.
"""

from __future__ import annotations

import re
import secrets
import shutil
from contextlib import closing, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from lesionctl.errors import BadFile, LesionctlError
from lesionctl.fetch.archive.formats import open_source
from lesionctl.fetch.archive.source import printable, quoted, reason_of
from lesionctl.progress import Progress, Silent, format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lesionctl.fetch.archive.source import Member, Source
    from lesionctl.progress import Task

MAX_MEMBERS = 1_000_000
"""The largest public set of the field, the crops of ISIC 2024, has 401,059 pictures."""

MAX_UNPACKED = 200 * 10**9
"""Bytes. The largest archive of the field, the training pictures of ISIC 2020, has 23 GB."""

MAX_RATIO = 200
"""Unpacked by packed bytes. JPEG and PNG have about 1, uncompressed pictures (BMP) 10 at most; deflate reaches 1032."""

SMALL = 100 * 10**6
"""Bytes that may be unpacked from an archive of any size: tables and drawn masks shrink to next to nothing."""

_BLOCK = 4096  # a small file takes one block of the disk
_DRIVE = re.compile("[A-Za-z]:")
_HOSTILE = "do not use it: get the archive from its publisher"


def unpack(
    archive: Path, into: Path, place: Callable[[str], str | None], progress: Progress | None = None
) -> list[Path]:
    """Write the wanted files of an archive below a folder, or none of them.

    Each file gets its final name when it is whole, at any moment of a killed run too; a file that had that name is
    replaced. After an error or an interrupt, everything that this call wrote is removed.

    Args:
        archive: A zip, tar (plain or compressed by gzip, bzip2 or xz) or RAR archive, recognised by its content; or a
            folder, whose files are copied.
        into: Made if missing, and so are the folders in it that are needed.
        place: Takes the name of a file in the archive, such as `PH2Dataset/images/IMD002.bmp`, and tells its name below
            `into`, with slashes, or None to pass it over. Asked once for each file, in the order of the archive; of
            folders, by name.
        progress: Hears of the bytes written.

    Returns:
        The files written, in the order of the archive.

    Raises:
        BadFile: It is no archive, or a damaged one; or one of its members, wanted or not, is encrypted, a link or a
            device, or has a name that leads elsewhere; or two of them get the same name; or it would unpack to more
            than an archive of pictures can hold.
        MissingExtra: It is a RAR archive, and rarfile is not installed.
        LesionctlError: There is not enough room on the disk, a file cannot be written, or a RAR archive is compressed
            and there is no program that decompresses it.
    """
    listener = progress or Silent()
    with open_source(archive, listener) as source:
        members = _checked_members(source)
        placed = _placed_members(source, members, into, place)
        total = sum(member.size for member in placed.values())
        _require_room(archive, into, total + _BLOCK * len(placed))
        writer = _Writer()
        try:
            with listener.task(f"unpacking {archive.name}", total, unit="bytes") as task:
                for path, member in placed.items():
                    writer.write(path, _declared_bytes(source, member, task))
        except BaseException:
            writer.take_back()
            raise
    return list(placed)


def _checked_members(source: Source) -> list[Member]:
    """Read the list, and stop at the first entry that an archive of pictures would not have.

    The bounds are looked at entry by entry: a compressed tar is decompressed as it is listed.
    """
    members: list[Member] = []
    total = 0
    with closing(source.members()) as listing:
        for member in listing:
            if fault := _fault_of_name(member.name):
                raise BadFile(source.path, f"its member {quoted(member.name)} {fault}", _HOSTILE)
            if member.fault:
                raise BadFile(source.path, f"its member {quoted(member.name)} {member.fault}", source.advice)
            members.append(member)
            total += member.size
            if len(members) > MAX_MEMBERS:
                raise BadFile(source.path, f"holds more than {MAX_MEMBERS:,} files", source.advice)
            if total > _most_bytes(source):
                amount = f"{format_bytes(total)} or more, at its member {quoted(member.name)}"
                reason = f"would unpack to {amount}, which is more than an archive of pictures of its size holds"
                raise BadFile(source.path, reason, source.advice)
    if all(member.is_directory for member in members):
        raise BadFile(source.path, "holds no files")
    return members


def _most_bytes(source: Source) -> int:
    if source.packed_size is None:
        return MAX_UNPACKED
    return min(MAX_UNPACKED, max(SMALL, MAX_RATIO * source.packed_size))


def _fault_of_name(name: str) -> str | None:
    """Why a name can lead outside the folder that it is meant for, here or on another system; None if it cannot."""
    if not name:
        return "has an empty name"
    if "\0" in name:
        return "has a NUL in its name"
    if "\\" in name:
        return "has a backslash in its name"
    if name.startswith("/") or _DRIVE.match(name):
        return "has an absolute name"
    if ".." in name.split("/"):
        return "has a name that leads outside the folder"
    return None


def _placed_members(
    source: Source, members: list[Member], into: Path, place: Callable[[str], str | None]
) -> dict[Path, Member]:
    """The wanted members by the path of each, in the order of the archive."""
    placed: dict[PurePosixPath, Member] = {}
    for member in members:
        target = None if member.is_directory else place(str(PurePosixPath(member.name)))
        if target is None:
            continue
        path = PurePosixPath(target)
        if (fault := _fault_of_name(target)) or not path.parts:
            where = f"would be put at {quoted(target)}, which {fault or 'has no name'}"
            raise BadFile(source.path, f"its member {quoted(member.name)} {where}", source.advice)
        if path in placed:
            both = f"{quoted(placed[path].name)} and {quoted(member.name)}"
            raise BadFile(source.path, f"its members {both} would both be put at {quoted(str(path))}", source.advice)
        placed[path] = member
    for path, member in placed.items():
        if above := next((parent for parent in path.parents if parent in placed), None):
            both = f"{quoted(placed[above].name)} would be a file where {quoted(member.name)} needs a folder"
            raise BadFile(source.path, f"its member {both}, {quoted(str(above))}", source.advice)

    here, originals = into.resolve(), source.originals(members)
    if own := next((path for path in placed if here / path in originals), None):
        what = f"unpacking {source.path} would replace {printable(str(into / own))}, from which it reads"
        raise LesionctlError(what, hint="choose another folder")
    return {into / path: member for path, member in placed.items()}


def _require_room(archive: Path, into: Path, needed: int) -> None:
    folder = next(folder for folder in (into.absolute(), *into.absolute().parents) if folder.exists())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise LesionctlError(
            f"unpacking {archive} needs {format_bytes(needed)} in {into}, where {format_bytes(free)} are free",
            hint="make room there, or choose a folder on another disk",
        )


def _declared_bytes(source: Source, member: Member, task: Task) -> Iterator[bytes]:
    """The bytes of a member, which are exactly as many as the list says."""
    missing = member.size
    for chunk in source.chunks(member):
        missing -= len(chunk)
        if missing < 0:
            break
        yield chunk
        task.advance(len(chunk))
    if missing:
        what = "holds more bytes than" if missing < 0 else f"ends {missing:,} bytes before"
        raise BadFile(source.path, f"its member {quoted(member.name)} {what} its list says", "download it again")


class _Writer:
    """Writes files whole, and can take back all that it wrote.

    A file is written beside its final name and renamed, so that no kill leaves a part of it there. It is not synced,
    which would guard against a crash of the machine alone, makes thousands of small masks take three times as long, and
    saves little: the archive that they came from is still there to be unpacked again.
    """

    def __init__(self) -> None:
        self._files: list[Path] = []
        self._folders: list[Path] = []
        self._known: set[Path] = set()
        self._part = f".{secrets.token_hex(8)}.part"

    def write(self, path: Path, chunks: Iterable[bytes]) -> None:
        part = path.parent / self._part
        try:
            self._make(path.parent)
            try:
                with part.open("xb") as file:
                    for chunk in chunks:
                        file.write(chunk)
                self._files.append(path)
                part.replace(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        except (OSError, ValueError) as error:  # whatever cannot be read is a BadFile
            raise LesionctlError(f"{printable(str(path))} cannot be written ({reason_of(error)})") from error

    def take_back(self) -> None:
        for file in self._files:
            with suppress(OSError):  # what went wrong first is what a person needs to hear of
                file.unlink()
        for folder in reversed(self._folders):
            with suppress(OSError):  # someone else has put something there
                folder.rmdir()

    def _make(self, folder: Path) -> None:
        if folder in self._known:
            return
        if not folder.is_dir():
            self._make(folder.parent)
            self._folders.append(folder)
            folder.mkdir(exist_ok=True)
        self._known.add(folder)
