"""How much of this machine's memory a process may have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl.runtime.control_groups import groups_around
from lesionctl.runtime.grants import memory_from_slurm
from lesionctl.runtime.world import processes_on_this_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# By version of the control groups: the files of limit and usage, and what in `memory.stat` counts as free.
_NAMES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}


def memory_for_this_process(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> int | None:
    """Bytes that this process may have in all, those that it has already included.

    The least of: what the system can give without swapping, what the control groups around the process leave (version 1
    and 2; page cache counts as free), and what SLURM granted. The processes that work together on this machine, under
    torchrun or srun (`processes_on_this_node`), share what is free: what SLURM grants is the machine's, not a task's.

    Args:
        root: Where the system's directories are.
        environ: The environment.

    Returns:
        None where the system does not say.
    """
    free = [*_free_of_system(root), *_free_of_groups(root)]
    granted = memory_from_slurm(environ)
    own, processes = _resident(root), processes_on_this_node(environ)
    shares = [own + max(0, count) // processes for count in free]
    return min([*shares, *([] if granted is None else [granted // processes])], default=None)


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
    for directory, version in groups_around("memory", root):
        limit, usage, cache = _NAMES[version]
        try:
            most, used = (directory / limit).read_text().strip(), int((directory / usage).read_text())
            stat = dict(line.split() for line in (directory / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            continue
        if most != "max":
            yield int(most) - used + int(stat.get(cache, 0))
