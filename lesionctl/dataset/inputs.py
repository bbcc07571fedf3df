"""What a person names: files, folders, patterns, and lists of files."""

from __future__ import annotations

import glob
import os
import stat
import sys
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from lesionctl.dataset.own_files import OwnFiles
from lesionctl.dataset.pairs import list_images
from lesionctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STDIN = "-"
"""The name that stands for a list of files on standard input."""


class Input(NamedTuple):
    """A picture file, and its place within the folder that was named: a bare name, or a path with subfolders."""

    path: Path
    place: Path


def find_inputs(
    names: list[str],
    *,
    recursive: bool = False,
    files_from: Path | None = None,
    stdin: BinaryIO | None = None,
    null: bool = False,
    own: OwnFiles | None = None,
) -> list[Input]:
    """Find the pictures.

    Args:
        names: Files, folders, patterns that the shell did not expand, and "-" for a list on standard input. A file is
            taken whatever its suffix; of a folder, all pictures but what this program wrote, and of what a pattern
            matches, all files but that.
        recursive: Look into the subfolders of folders too.
        files_from: A file that lists more.
        stdin: What "-" reads; the process's own standard input by default.
        null: What is listed is separated by NUL characters, as `find -print0` writes it, and not by line.
        own: What tells the program's own files; afterwards it knows which were left out.

    Returns:
        In the order of the names, the listed ones last where they are in a file, each once. What a list names is not
        looked at: whoever reads the pictures says which are missing. A place never leads out of the folder that it is
        put in: below a folder that was named, or below the folders of a pattern before its first wildcard, it is the
        rest of the path, of a file that was named its bare name, and of a listed path the whole, without the root of
        the file system and what leads upwards.

    Raises:
        UsageError: A name stands for nothing, a folder or a pattern holds no picture, or a list cannot be read or is
            empty.
    """
    own = own or OwnFiles()
    return list(_once(_named_and_listed(names, recursive, files_from, stdin, null, own), own))


def _named_and_listed(
    names: list[str], recursive: bool, files_from: Path | None, stdin: BinaryIO | None, null: bool, own: OwnFiles
) -> Iterator[Input]:
    for name in names:
        if name == STDIN:
            yield from _listed((stdin or sys.stdin.buffer).read(), "standard input", null)
        else:
            yield from _expand(name, recursive, own)
    if files_from is not None:
        try:
            content = files_from.read_bytes()
        except OSError as error:
            raise UsageError(f"the list {files_from} cannot be read ({error.strerror})") from error
        yield from _listed(content, str(files_from), null)


def _once(inputs: Iterable[Input], own: OwnFiles) -> Iterator[Input]:
    """Each file once, however its folder was named; two links to one file are two pictures, each with its own name."""
    seen = set()
    for item in inputs:
        key = own.real_path(item.path)
        if key not in seen:
            seen.add(key)
            yield item


def _listed(content: bytes, source: str, null: bool) -> Iterator[Input]:
    if b"\0" in content and not null:
        raise UsageError(f"the paths in {source} are separated by NUL characters", hint="pass -0")
    # A list from Windows may begin with a mark of its encoding, and has a carriage return in each line.
    lines = content.split(b"\0") if null else content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").split(b"\n")
    paths = [Path(os.fsdecode(line)) for line in lines if line]
    if not paths:
        raise UsageError(f"{source} lists no files")
    return (Input(path, _place(path)) for path in paths)


def _place(path: Path) -> Path:
    """Where a path leads within a folder: without its root, and without what would lead upwards."""
    if ".." in path.parts:
        path = Path(os.path.normpath(path))
    if path.anchor or ".." in path.parts:
        return Path(*(part for part in path.parts if part not in {path.anchor, ".."}))
    return path


def _expand(name: str, recursive: bool, own: OwnFiles) -> Iterator[Input]:
    path = Path(name)
    kind = _kind(path)
    if kind is None:
        yield from _matches(name, own)
    elif stat.S_ISDIR(kind):
        found = list_images(path, recursive=recursive)
        images = [image for image in found if not own.leave_out(image)]
        if found and not images:
            raise UsageError(f"{path} holds nothing but files that this program wrote")
        if not images:
            raise UsageError(f"{path} holds no pictures", hint=None if recursive else "look deeper with --recursive")
        depth = len(path.parts)
        yield from (Input(image, Path(*image.parts[depth:])) for image in images)
    else:
        yield Input(path, Path(path.name))


def _kind(path: Path) -> int | None:
    """The mode of a file or folder; None where there is nothing that it could be told of."""
    try:
        return path.stat().st_mode
    except OSError:
        return None


def _matches(pattern: str, own: OwnFiles) -> Iterator[Input]:
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute patterns too
    files = [path for path in map(Path, found) if path.is_file()]
    if not files:
        raise UsageError(f"there is no file or folder '{pattern}'")
    pictures = [path for path in files if not own.leave_out(path)]
    if not pictures:
        raise UsageError(f"'{pattern}' matches nothing but files that this program wrote")
    fixed = len(list(takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)))
    return (Input(path, _place(Path(*path.parts[fixed:]))) for path in pictures)
