"""Zip, tar and RAR archives, told apart by their content."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import tarfile
import zipfile
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from lesionctl.errors import BadFile, LesionctlError, MissingExtra
from lesionctl.fetch.archive.source import DAMAGE, FolderSource, Member, Source, fault_of_mode, quoted, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lesionctl.progress import Progress

_CHUNK = 1 << 20
_ZIP_HEADS = (b"PK\x03\x04", b"PK\x05\x06")
_ZIP_LOCAL_HEADER = 30  # bytes in front of a member's data, its name not counted
_RAR_HEADS = (b"Rar!\x1a\x07\x00", b"Rar!\x1a\x07\x01\x00")
_DECOMPRESSORS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
# A long name or a set of extended attributes needs some kilobytes; tarfile reads the whole of it into memory.
_LONGEST_TAR_EXTENSION = 1 << 16
_TAR_EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_FIRST_RAR_WITH_END_MARK = 29  # version 2.9, times 10
# Of the programs, some builds (7-Zip in Debian) know the container but not its compression.
_RAR_DAMAGED = (
    "it is damaged, or the program that decompresses it here cannot: "
    "install unrar or unar, or unpack it by hand and give the folder instead"
)
# A tar is filled up with zeros to whole records, of 10 kB by default; a second archive behind the first is longer.
_LONGEST_TAR_PADDING = 1 << 20


class ZipSource(Source):
    """A zip archive of stored and deflated members."""

    def _members(self) -> Iterator[Member]:
        if not zipfile.is_zipfile(self.path):
            raise BadFile(self.path, "is a zip archive without the list that stands at its end", self.damaged)
        self._zip = self._open_files.enter_context(zipfile.ZipFile(self.path))
        infos = self._zip.infolist()
        self._refuse_overlaps(infos)
        for info in infos:
            # `filename` ends at the first NUL, and has slashes for backslashes on Windows.
            name = info.orig_filename
            yield Member(name, info.file_size, name.endswith("/"), self._fault(info), info)

    def _refuse_overlaps(self, infos: list[zipfile.ZipInfo]) -> None:
        """Members that share their compressed bytes are how a small zip unpacks to anything."""
        spans = sorted(
            (info.header_offset, info.header_offset + _ZIP_LOCAL_HEADER + info.compress_size, info.orig_filename)
            for info in infos
        )
        spans.append((self._zip.start_dir, self._zip.start_dir, "the list of members"))
        for (_, end, name), (start, _, following) in pairwise(spans):
            if end > start:
                reason = f"its member {quoted(name)} overlaps with {quoted(following)}"
                raise BadFile(self.path, reason, self.damaged)

    def _fault(self, info: zipfile.ZipInfo) -> str | None:
        if info.flag_bits & 1:
            return "is encrypted"
        # Of the others, Deflate64 cannot be read, and the rest expand a few kilobytes to gigabytes in one step.
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return f"is compressed by method {info.compress_type} of the zip format, which is not read here"
        return fault_of_mode(info.external_attr >> 16)

    def _open(self, member: Member) -> IO[bytes]:
        return self._zip.open(member.handle)


class _TarHeader(tarfile.TarInfo):
    """A header that has to be whole: tarfile takes a damaged or missing one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _TarHeader:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):  # the mark at the end
                raise
            raise tarfile.ReadError(str(error)) from error
        if header.size < 0:
            raise tarfile.ReadError("a member of negative size")
        if header.type in _TAR_EXTENSIONS and header.size > _LONGEST_TAR_EXTENSION:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header


class TarSource(Source):
    """A tar archive, plain or compressed.

    It has no list but the headers in front of its members. Reading them, a compressed one is decompressed to its end,
    so that its checksums are verified too before anything is written; then once more for the members' bytes.
    """

    def __init__(self, path: Path, progress: Progress, decompress: Callable[..., IO[bytes]] | None) -> None:
        super().__init__(path, progress)
        self._decompress = decompress

    def _members(self) -> Iterator[Member]:
        file = self._open_files.enter_context(self.path.open("rb"))
        stream = self._open_files.enter_context(self._decompress(file)) if self._decompress else file
        self._tar = tarfile.TarFile(fileobj=stream, tarinfo=_TarHeader)
        with self._progress.task(f"reading the list of {self.path.name}", self.packed_size, unit="bytes") as task:
            done = 0
            for info in self._tar:
                if info.size < 0:  # by an extended header, which beats the plain one
                    raise tarfile.ReadError("a member of negative size")
                yield Member(info.name, info.size, info.isdir(), self._fault(info), info)
                task.advance(file.tell() - done)
                done = file.tell()
            padding = 0
            while chunk := stream.read(_CHUNK):
                padding += len(chunk)
                if padding > _LONGEST_TAR_PADDING:
                    raise BadFile(self.path, "goes on after the mark at its end", self.advice)
            task.advance(file.tell() - done)

    def _fault(self, info: tarfile.TarInfo) -> str | None:
        if info.issym() or info.islnk():
            return f"is a {'symbolic' if info.issym() else 'hard'} link to {quoted(info.linkname)}"
        if info.issparse():
            return "is a sparse file"
        return None if info.isreg() or info.isdir() else "is a device, a pipe or of an unknown kind"

    def _open(self, member: Member) -> IO[bytes]:
        return cast("IO[bytes]", self._tar.extractfile(member.handle))  # it is None for directories and devices alone


class RarSource(Source):
    """A RAR archive, of one volume or several; compressed members are read by an external program."""

    def __init__(self, path: Path, progress: Progress) -> None:
        super().__init__(path, progress)
        try:
            import rarfile
        except ImportError as error:
            raise MissingExtra("rarfile", "rar", f"unpacking {path}") from error
        self._rarfile = rarfile
        self._damage = (*DAMAGE, rarfile.Error)

    def _members(self) -> Iterator[Member]:
        try:
            infos = self._list()
        except self._rarfile.NeedFirstVolume as error:
            raise BadFile(self.path, "is a later volume of a RAR archive", hint="give the first one") from error
        except self._rarfile.RarCannotExec as error:
            raise LesionctlError(
                f"{self.path} is compressed, and there is no program that decompresses RAR",
                hint="install unrar or unar, or unpack it by hand and give the folder instead",
            ) from error
        for info in infos:
            yield Member(info.filename, info.file_size, info.is_dir(), self._fault(info), info)

    def _list(self) -> list[Any]:
        blocks: set[int] = set()
        self._rar = self._rarfile.RarFile(
            str(self.path), errors="strict", info_callback=lambda block: blocks.add(block.type)
        )
        if self._rar.needs_password():
            raise BadFile(self.path, "is encrypted", self.advice)
        infos: list[Any] = self._rar.infolist()
        has_mark = any(info.extract_version >= _FIRST_RAR_WITH_END_MARK for info in infos)
        if has_mark and self._rarfile.RAR_BLOCK_ENDARC not in blocks:
            raise BadFile(self.path, "lacks the mark at the end of a RAR archive", self.damaged)
        if any(info.compress_type != self._rarfile.RAR_M0 for info in infos if not info.is_dir()):
            # The command line that rarfile makes for bsdtar is one that bsdtar rejects.
            self._rarfile.tool_setup(bsdtar=False, force=True)
            self.damaged = _RAR_DAMAGED
        self.packed_size = sum(Path(volume).stat().st_size for volume in self._rar.volumelist())
        return infos

    def _fault(self, info: Any) -> str | None:
        if info.file_redir:
            return f"is a link to {quoted(info.file_redir[2])}"
        return fault_of_mode(info.mode) if info.host_os == self._rarfile.RAR_OS_UNIX else None

    def _open(self, member: Member) -> IO[bytes]:
        return self._rar.open(member.handle)


def open_source(path: Path, progress: Progress) -> closing[Source]:
    """Find out by its first bytes what an archive is; its name does not matter.

    Args:
        path: A zip, tar (plain or compressed by gzip, bzip2 or xz) or RAR archive, or a folder.
        progress: Hears of lists that take long to read.

    Returns:
        The source, to be used in a `with` block.

    Raises:
        BadFile: It is none of these, or cannot be read.
        MissingExtra: It is a RAR archive, and rarfile is not installed.
    """
    try:
        return closing(_recognised(path, progress))
    except DAMAGE as error:
        hint = None if getattr(error, "errno", None) else Source.damaged
        raise BadFile(path, f"cannot be read ({reason_of(error)})", hint) from error


def _recognised(path: Path, progress: Progress) -> Source:
    if path.is_dir():
        return FolderSource(path, progress)
    with path.open("rb") as file:
        head = file.read(tarfile.BLOCKSIZE)
    if head.startswith(_RAR_HEADS):
        return RarSource(path, progress)
    if head.startswith(_ZIP_HEADS):
        return ZipSource(path, progress)
    decompress = next((opener for magic, opener in _DECOMPRESSORS.items() if head.startswith(magic)), None)
    if decompress:
        with decompress(path) as stream:
            head = stream.read(tarfile.BLOCKSIZE)
    if _begins_a_tar(head):
        return TarSource(path, progress, decompress)
    what = "is a compressed file that holds no tar archive" if decompress else "is no archive"
    raise BadFile(path, f"{what}: {_beginning(head)}", hint=_advice_on(head))


def _begins_a_tar(head: bytes) -> bool:
    if head[257:262] == b"ustar":
        return True
    try:  # before POSIX, a header had nothing to know it by but its checksum
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _beginning(head: bytes) -> str:
    if not head:
        return "it is empty"
    text = re.match(rb"[\x20-\x7e]{4,60}", _without_margin(head))
    return f"it begins with {text[0].decode()}" if text else f"it begins with the bytes {head[:8].hex(' ')}"


def _advice_on(head: bytes) -> str:
    if _without_margin(head).startswith(b"<"):
        return "a web page was saved in its place: download it again"
    return "give a zip, tar or RAR archive, or a folder"


def _without_margin(head: bytes) -> bytes:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()
