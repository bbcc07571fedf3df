"""How much of this machine's memory a process may have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def memory_for_this_process(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> int | None:
    """Bytes that this process may have in all, those that it has already included.

    The least of: what the system can give without swapping, what the control groups around the process leave (version 1
    and 2; page cache counts as free), and what SLURM granted. Processes of one training on this machine
    (`LOCAL_WORLD_SIZE`) share what is free.

    Args:
        root: Where the system's directories are.
        environ: The environment.

    Returns:
        None where the system does not say.
    """
    free = [*_free_of_system(root), *_free_of_groups(root)]
    slurm = environ.get("SLURM_MEM_PER_NODE", "")
    granted = [int(slurm) * 2**20] if slurm.isdigit() and int(slurm) else []
    own, ranks = _resident(root), int(environ.get("LOCAL_WORLD_SIZE", "1"))
    shares = [own + max(0, count) // ranks for count in free] + [count // ranks for count in granted]
    return min(shares, default=None)


def _free_of_system(root: Path) -> Iterator[int]:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:  # not Linux
        names = getattr(os, "sysconf_names", {})
        if {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= names.keys():
            yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return
    yield from (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def _resident(root: Path) -> int:
    try:
        pages = int((root / "proc/self/statm").read_text().split()[1])
    except OSError:  # not Linux
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _free_of_groups(root: Path) -> Iterator[int]:
    """What each control group around this process leaves, in bytes."""
    mount = root / "sys/fs/cgroup"
    try:
        entries = [line.split(":", 2) for line in (root / "proc/self/cgroup").read_text().splitlines()]
    except OSError:  # not Linux
        return
    for number, controllers, group in entries:
        if number == "0":
            yield from _free_of_group(mount, group, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _free_of_group(mount / "memory", group, *names)


def _free_of_group(mount: Path, group: str, limit: str, usage: str, cache: str) -> Iterator[int]:
    # Inside a container the group's own directory may be the mount itself, so a level that is not there is passed over.
    inner = mount / group.strip("/")
    for level in (inner, *inner.parents):
        if not level.is_relative_to(mount):
            return
        try:
            most, used = (level / limit).read_text().strip(), int((level / usage).read_text())
            stat = dict(line.split() for line in (level / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            continue
        if most != "max":
            yield int(most) - used + int(stat.get(cache, 0))
