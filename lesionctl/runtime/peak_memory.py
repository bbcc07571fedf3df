"""How much memory this process has needed at most."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from lesionctl.runtime.device import Compute

_STATUS = Path("/proc/self/status")


def forget_peak_memory(compute: Compute) -> None:
    """Measure anew from here, where a device can: what went before, such as a search for a batch, does not count."""
    if compute.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(compute.device)


def peak_memory_mb(compute: Compute) -> float:
    """Highest memory so far, in MB: of tensors on a GPU, or of the whole process on the CPU (0 where nobody says)."""
    if compute.device.type == "cuda":
        return torch.cuda.max_memory_allocated(compute.device) / 1e6
    if _STATUS.is_file():  # getrusage would begin with the peak of the process that started this one
        line = next((line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
        return int(line.split()[1]) * 1024 / 1e6
    if platform.system() != "Darwin":
        return 0.0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
