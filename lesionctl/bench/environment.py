"""What the figures were measured on."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import torch

from lesionctl import __version__
from lesionctl.runtime.threads import available_cpus


def describe_environment() -> dict[str, Any]:
    """Processor, GPU and versions, in JSON's forms."""
    return {
        "lesionctl": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": platform.platform(),
        "processor": _processor(),
        "cpus_available": available_cpus(),
        "torch_threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
