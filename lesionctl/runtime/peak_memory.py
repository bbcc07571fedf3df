"""How much memory this process has needed at most, of the host's and of a device's."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lesionctl.runtime.device import Compute

_STATUS = Path("/proc/self/status")


def forget_peak_memory(compute: Compute) -> None:
    """Measure anew from here, where a device can: what went before, such as a search for a batch, does not count."""
    if compute.device.type == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(compute.device)


def peak_memory_mb(compute: Compute) -> float:
    """Highest memory so far, in MB: of tensors on a GPU, or of the whole process on the CPU (0 where nobody says)."""
    if compute.device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(compute.device) / 1e6
    return process_peak_mb()


def process_peak_mb() -> float:
    """Highest memory so far of this process on the host, in MB; 0 where nobody says, as on Windows."""
    if _STATUS.is_file():  # getrusage would begin with the peak of the process that started this one
        line = next((line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
        return int(line.split()[1]) * 1024 / 1e6
    if platform.system() != "Darwin":
        return 0.0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def device_peak_mb(device: str) -> float | None:
    """Highest memory of this process on a GPU so far, in MB.

    Where torch computes there, that of its tensors. Any other runtime is asked about through `nvidia-smi`, which says
    what the process holds now, its context of some hundred MB included: their arenas never shrink, so that is the peak.

    Args:
        device: As a person names it: cpu, cuda, cuda:N, mps, gpu.

    Returns:
        None where there is no such memory, or nobody says.
    """
    if not device.startswith("cuda"):
        return None
    if "torch" in sys.modules:
        import torch

        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            return torch.cuda.max_memory_allocated(device) / 1e6
    return _held_by_this_process()


def _held_by_this_process() -> float | None:
    question = ["nvidia-smi", "--query-compute-apps=pid,used_gpu_memory", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(question, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    rows = [line.split(", ") for line in answer.splitlines()]
    held = [int(row[1]) for row in rows if row[0] == str(os.getpid()) and row[-1].isdigit()]  # MiB, or [N/A]
    return sum(held) * 2**20 / 1e6 if held else None
