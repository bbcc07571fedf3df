"""What a process was granted of the machine: processors and memory, by the scheduler and by control groups."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl.runtime.control_groups import groups_around

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ROOT = Path("/")
_UNLIMITED = 2**60  # bytes: version 1 writes "no limit" as a number near 2^63


def cpus_of_machine() -> int:
    """Processors of the whole machine, whoever may use them."""
    return os.cpu_count() or 1


def cpus_in_mask() -> int | None:
    """Processors in the affinity mask of this process; None where the system has no such thing (macOS, Windows)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def cpus_from_slurm(environ: Mapping[str, str] = os.environ) -> int | None:
    """Processors that SLURM granted to this task; None outside of SLURM, or where it was asked for none."""
    granted = environ.get("SLURM_CPUS_PER_TASK", "")
    return int(granted) if granted.isdigit() else None


def cpus_of_node_from_slurm(environ: Mapping[str, str] = os.environ) -> int | None:
    """Processors of this machine that SLURM granted to all tasks of the step or job together; None outside of SLURM."""
    granted = environ.get("SLURM_CPUS_ON_NODE", "")
    return int(granted) if granted.isdigit() else None


def cpus_of_launcher() -> int | None:
    """Processors in the affinity mask of the process that started this one; None where there is no such thing."""
    with suppress(OSError):  # another user's, on a system that hides it
        return len(os.sched_getaffinity(os.getppid())) if hasattr(os, "sched_getaffinity") else None
    return None


def cpu_quota(root: Path = _ROOT) -> float | None:
    """How many processors' time the control groups leave this process; None: as much as there is.

    `docker run --cpus 2` and Kubernetes set it. The affinity mask knows nothing of it: 64 threads are started on 64
    processors, and all of them stand still for most of the time.

    Args:
        root: Where the system's directories are.
    """
    quotas = []
    for text in _texts(root, "cpu.max", "cpu", "cpu.cfs_quota_us"):
        quota, _, period = text.partition(" ")
        if quota.isdigit():  # neither "max" nor -1
            quotas.append(int(quota) / int(period or 100_000))  # version 1 has its period, always this, elsewhere
    return min(quotas, default=None)


def memory_limit(root: Path = _ROOT, environ: Mapping[str, str] = os.environ) -> int | None:
    """Bytes that control groups and SLURM grant this process in all; None: as many as there are.

    Args:
        root: Where the system's directories are.
        environ: The environment.
    """
    limits = [int(text) for text in _texts(root, "memory.max", "memory", "memory.limit_in_bytes") if text.isdigit()]
    if (slurm := memory_from_slurm(environ)) is not None:
        limits.append(slurm)
    return min((limit for limit in limits if limit < _UNLIMITED), default=None)


def memory_from_slurm(environ: Mapping[str, str] = os.environ) -> int | None:
    """Bytes of this machine that SLURM granted to all tasks together; None outside of SLURM, or where it grants all.

    It was asked for (`--mem`, `--mem-per-cpu`, `--mem-per-gpu`) for the machine, or for each of its granted processors
    or GPUs; the variables count MiB.

    Args:
        environ: The environment.
    """
    limits = []
    for granted, times in (
        ("SLURM_MEM_PER_NODE", ""),
        ("SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE"),
        ("SLURM_MEM_PER_GPU", "SLURM_GPUS_ON_NODE"),
    ):
        each, number = environ.get(granted, ""), environ.get(times, "") if times else "1"
        if each.isdigit() and number.isdigit():
            limits.append(int(each) * int(number) * 2**20)
    return min((limit for limit in limits if limit), default=None)  # 0 asks for all of the machine


def _texts(root: Path, name: str, controller: str, old_name: str) -> Iterator[str]:
    """What a file says in each control group around this process: `name` in version 2, `old_name` in version 1."""
    for directory, version in groups_around(controller, root):
        with suppress(OSError):
            yield (directory / (name if version > 1 else old_name)).read_text().strip()
