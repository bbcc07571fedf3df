"""The control groups around this process, which bound its processors and memory (Linux)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class ControlGroup(NamedTuple):
    """A group that this process is in.

    Attributes:
        directory: Its files.
        version: 1 or 2: they have other names.
    """

    directory: Path
    version: int


def groups_around(controller: str, root: Path) -> Iterator[ControlGroup]:
    """Each group around this process that a controller may bound, from the inside out; none on other systems.

    Args:
        controller: Such as memory, or cpu.
        root: Where the system's directories are.
    """
    mount = root / "sys/fs/cgroup"
    try:
        entries = [line.split(":", 2) for line in (root / "proc/self/cgroup").read_text().splitlines()]
    except OSError:  # not Linux
        return
    for number, controllers, group in entries:
        if number == "0":
            yield from _upwards(mount, group, 2)
        elif controller in controllers.split(","):
            yield from _upwards(mount / controller, group, 1)


def _upwards(mount: Path, group: str, version: int) -> Iterator[ControlGroup]:
    # Inside a container the group's own directory may be the mount itself, so a level that is not there is passed over.
    inner = mount / group.strip("/")
    for level in (inner, *inner.parents):
        if not level.is_relative_to(mount):
            return
        if level.is_dir():
            yield ControlGroup(level, version)
