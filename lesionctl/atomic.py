"""Files and directories that appear whole or not at all: written beside, synced, renamed."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from lesionctl.errors import GateError, Interrupted, LesionctlError, UsageError

_MODE = 0o666
_PART = ".part"
_RANDOM = 8  # characters that tempfile puts between its prefix and suffix


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# Read once, at import: os.umask can only be read by setting it, which no thread of a running batch should do.
_UMASK = _umask()


def _prefix(path: Path) -> str:
    """How the name begins under which a file is written: of each file in another way, however alike names begin."""
    digest = hashlib.blake2b(os.fsencode(path.name), digest_size=4).hexdigest()
    return f".{path.name[:32]}.{digest}."


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that readers see the old file or the new one, never a part.

    Args:
        path: The final name; its directory must exist.
        content: Everything the file will hold.

    Raises:
        OSError: The disk is full, or the directory is missing or not writable.
    """
    handle, name = tempfile.mkstemp(prefix=_prefix(path), suffix=_PART, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _MODE & ~_UMASK)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove what a killed process left of files that it was writing, where nobody else writes these files."""
    by_folder: dict[Path, set[str]] = {}
    for path in paths:
        by_folder.setdefault(path.parent, set()).add(_prefix(path))
    for folder, prefixes in by_folder.items():
        for part in folder.glob(f".*{_PART}"):
            if part.name[: -len(_PART) - _RANDOM] in prefixes:
                part.unlink(missing_ok=True)


def write_text(path: Path, content: str) -> None:
    """`write_bytes` for UTF-8 text."""
    write_bytes(path, content.encode())


def escape_undecodable(text: str) -> str:
    """The text with backslashes for the bytes of file names that are not UTF-8, which no file of text can hold."""
    return text.encode(errors="backslashreplace").decode()


@contextmanager
def new_directory(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Fill a directory beside `path` and rename it to `path` when the block ends well.

    Args:
        path: The final name.
        overwrite: Replace a directory that stands there already.

    Raises:
        LesionctlError: Something stands at `path` already.
    """
    _check_free(path, overwrite)
    part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    try:
        yield part
        _put_in_place(part, path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


@contextmanager
def resumable_directory(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Fill a directory beside `path`, always the same one, and rename it to `path` when the block ends well.

    When the process is killed, or the block stops at a gate, at a signal or for an option that makes no sense, what it
    wrote stays for the next one to go on with.

    Args:
        path: The final name.
        overwrite: Replace a directory that stands there already.

    Raises:
        LesionctlError: Something stands at `path` already, or another process is filling the directory.
    """
    _check_free(path, overwrite)
    lock = FileLock(path.parent / f".{path.name}.lock", blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise LesionctlError(f"another process is making {path} at this moment", hint="wait for it") from error
    part = path.parent / f".{path.name}.part"
    try:
        _check_free(path, overwrite)  # another process may have made it before it gave the lock back
        part.mkdir(exist_ok=True)
        yield part
        _put_in_place(part, path)
    except LesionctlError as error:
        if not isinstance(error, (GateError, Interrupted, UsageError)):  # typing another command will not help
            shutil.rmtree(part, ignore_errors=True)
        raise
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def lock_file(path: Path) -> FileLock:
    """Take a file that is written over a long time for this process alone, until `unlock_file`.

    Raises:
        LesionctlError: Another process has it.
        OSError: Its directory may not be written to.
    """
    return _take(
        path.with_name(f".{path.name}.lock"),
        f"another process is writing {path} at this moment",
        "wait for it, or choose another name or share",
    )


def unlock_file(lock: FileLock) -> None:
    """Give back what `lock_file` took."""
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


@contextmanager
def directory_of_one(path: Path) -> Iterator[None]:
    """Keep a directory that grows over several runs of the program for this process alone, and tidy it up.

    Args:
        path: It is made where it is missing, and goes again where nothing came into it. Files that a killed process
            left half written in it are removed.

    Raises:
        LesionctlError: Another process works in it.
    """
    path.mkdir(parents=True, exist_ok=True)
    lock = _take(
        path / ".lock",
        f"another process works in {path} at this moment",
        "wait for it, or choose another directory",
    )
    try:
        for part in path.glob(".*.part"):
            part.unlink(missing_ok=True)
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):  # there is something in it
            path.rmdir()


def _check_free(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise LesionctlError(f"{path} exists already", hint="choose another name, remove it, or pass --overwrite")
    path.parent.mkdir(parents=True, exist_ok=True)


def _put_in_place(part: Path, path: Path) -> None:
    part.chmod(0o777 & ~_UMASK)
    if path.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
        path.rename(old / path.name)
        part.rename(path)
        shutil.rmtree(old)
    else:
        part.rename(path)


def _take(path: Path, what: str, hint: str) -> FileLock:
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise LesionctlError(what, hint=hint) from error
    return lock
