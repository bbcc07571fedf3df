"""One process at a time for each picture: shares that have pictures in common are never worked on at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from lesionctl.atomic import lock_file, unlock_file
from lesionctl.errors import LesionctlError
from lesionctl.predict.shard import Shard

if TYPE_CHECKING:
    from pathlib import Path

_DOOR = ".door"
_PATIENCE = 60.0  # seconds; whoever is at the door is through in some milliseconds
_LOCK = re.compile(r"\.masks\.(\d+)-of-(\d+)\.jsonl\.lock")


def take_share(manifest: Path, shard: Shard) -> FileLock:
    """Take a share of a folder's pictures for this process alone, until `atomic.unlock_file`.

    Shares of the same number of shares are worked on side by side, and so is whatever else has no picture in common.
    Of two processes that begin together and must not, one goes on.

    Args:
        manifest: The share's file.
        shard: The share.

    Raises:
        LesionctlError: Another process is working on some of the same pictures.
        OSError: The directory may not be written to.
    """
    folder = manifest.parent
    # All go through one door: between the look at the others' locks and the taking of its own nobody else does either.
    # It stays where it is, as it is everybody's, and may be opened by everybody.
    door = FileLock(folder / _DOOR, timeout=_PATIENCE, mode=0o666)
    try:
        door.acquire()
    except Timeout as error:
        raise LesionctlError(
            f"another process has been beginning to work in {folder.parent} for a minute",
            hint=f"if there is none, remove {folder / _DOOR}",
        ) from error
    try:
        lock = lock_file(manifest)
        try:
            for other, path in _others(folder, shard):
                if _is_held(path):
                    raise _refusal(folder.parent, shard, other)
        except BaseException:
            unlock_file(lock)
            raise
    finally:
        door.release()
    return lock


def _others(folder: Path, shard: Shard) -> list[tuple[Shard, Path]]:
    """The locks of shares that have pictures in common with this one, whether or not somebody holds them."""
    found = ((_LOCK.fullmatch(path.name), path) for path in sorted(folder.glob(".masks.*.lock")))
    shares = ((Shard(int(match[1]), int(match[2])), path) for match, path in found if match)
    return [(other, path) for other, path in shares if other != shard and shard.overlaps(other)]


def _is_held(path: Path) -> bool:
    """Whether a process holds a lock; one that a killed process left goes."""
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        return True
    unlock_file(lock)
    return False


def _refusal(out: Path, shard: Shard, other: Shard) -> LesionctlError:
    pictures = "the pictures" if other.of == 1 else f"share {other.number} of {other.of} of the pictures"
    mine = "all" if shard.of == 1 else f"share {shard.number} of {shard.of}"
    return LesionctlError(
        f"another process is working on {pictures} of {out} at this moment, and this one would do {mine}: "
        "some would be done by both",
        hint="wait for it, choose another --out, or pass all of them --shard I/N with the same N",
    )
