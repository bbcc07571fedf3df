"""The room on disk that a fetch needs, told before it begins."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lesionctl.errors import LesionctlError
from lesionctl.progress import Progress, format_bytes


@dataclass(frozen=True)
class Need:
    """Bytes that will be written below a folder.

    Attributes:
        what: In a word, such as `to load`.
        folder: Need not exist.
        size: Bytes.
    """

    what: str
    folder: Path
    size: int


def require_room(needs: Iterable[Need], unknown: Iterable[str], progress: Progress) -> None:
    """Tell what is needed and what is free, and refuse what cannot be held.

    Args:
        needs: What will be written.
        unknown: Names of files whose size nobody knows.
        progress: Hears of it.

    Raises:
        LesionctlError: A disk is too small.
    """
    by_disk: dict[int, list[Need]] = defaultdict(list)
    for need in needs:
        if need.size:
            by_disk[_existing(need.folder).stat().st_dev].append(need)
    for on_disk in by_disk.values():
        folder = on_disk[0].folder
        free = shutil.disk_usage(_existing(folder)).free
        needed = sum(need.size for need in on_disk)
        parts = ", ".join(f"{format_bytes(need.size)} {need.what}" for need in on_disk)
        if needed > free:
            raise LesionctlError(
                f"the disk of {folder} is too small: {parts}, and {format_bytes(free)} are free",
                hint="make room, name a folder on another disk with --to DIR or LESIONCTL_CACHE_DIR, or pass "
                "--drop-archives",
            )
        progress.say(f"{parts}; {format_bytes(free)} are free on the disk of {folder}")
    if names := ", ".join(unknown):
        progress.say(f"nobody says how large {names} will be")


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
