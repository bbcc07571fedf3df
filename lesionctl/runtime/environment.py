"""What figures were measured on and weights were made with."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from lesionctl import __version__
from lesionctl.runtime.threads import available_cpus


def describe_environment() -> dict[str, Any]:
    """Versions, processor, memory and GPUs, in JSON's forms; what the machine lacks or does not tell is None.

    Nothing in it names a person or a host.
    """
    gpus = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return {
        "lesionctl": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "timm": version("timm"),
        "albumentations": version("albumentations"),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "system": platform.platform(),
        "processor": _processor(),
        "cpus_available": available_cpus(),
        "torch_threads": torch.get_num_threads(),
        "memory_gib": _memory(),
        "gpus": [gpu.name for gpu in gpus],
        "gpu_memory_gib": [_gib(gpu.total_memory) for gpu in gpus],
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "nvidia_driver": _nvidia_driver(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> float | None:
    try:
        return _gib(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError):  # Windows
        return None


def _nvidia_driver() -> str | None:
    try:
        return Path("/sys/module/nvidia/version").read_text().strip()
    except OSError:
        return None


def _gib(size: int) -> float:
    return round(size / 2**30, 1)
