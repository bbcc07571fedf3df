"""What figures were measured on and weights were made with."""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import sys
import warnings
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lesionctl import __version__
from lesionctl.paths import cache_dir
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.grants import cpu_quota, cpus_from_slurm, cpus_in_mask, cpus_of_machine, memory_limit
from lesionctl.runtime.nvidia import ask_driver
from lesionctl.runtime.onnxruntime_import import import_onnxruntime
from lesionctl.runtime.openvino_import import import_openvino
from lesionctl.runtime.threads import available_cpus

SHARED_MEMORY = Path("/dev/shm")
"""Through which data-loader workers hand over what they prepared; not on macOS and Windows."""

_PACKAGES = ("timm", "torchvision", "albumentations", "numpy", "pillow", "onnx", "onnxruntime", "openvino")
_OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")
# What makes a network faster than another machine's: x86's names, then ARM's.
_INSTRUCTIONS = (
    "avx2", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16",
    "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2",
)  # fmt: skip


def describe_environment(*, runtimes: bool = False) -> dict[str, Any]:
    """Versions, processor, memory, GPUs and threads, in JSON's forms; what the machine lacks or does not tell is None.

    Nothing in it names a person, a host or a folder. What cannot be imported stands under `broken`, with the reason.

    Args:
        runtimes: Also import onnxruntime and OpenVINO, and ask them what they can run on: half a second.
    """
    broken: dict[str, str] = {}
    torch, cv2 = (_import(name, broken) for name in ("torch", "cv2"))
    return {
        "lesionctl": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__ if torch else _version("torch"),
        **{package: _version(package) for package in _PACKAGES},
        "opencv": cv2.__version__ if cv2 else next(filter(None, map(_version, _OPENCV)), None),
        "broken": broken,
        **(_describe_runtimes() if runtimes else {}),
        "system": platform.platform(),
        "processor": _processor(),
        "instructions": _instructions(),
        "cpus": cpus_of_machine(),
        "cpus_in_mask": cpus_in_mask(),
        "cpus_from_slurm": cpus_from_slurm(),
        "cpu_quota": cpu_quota(),
        "cpus_available": available_cpus(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "memory_gib": _memory(),
        "memory_limit_gib": _gib(memory_limit()),
        "shared_memory_gib": _gib(shutil.disk_usage(SHARED_MEMORY).total) if SHARED_MEMORY.is_dir() else None,
        **_describe_torch(torch, broken),
        **_describe_driver(),
        "cache_writable": os.access(nearest_folder(cache_dir()), os.W_OK),
        "offline": is_offline(),
    }


def is_offline() -> bool:
    """Whether nothing may be downloaded: `--offline` sets what the hub's library reads."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def nearest_folder(path: Path) -> Path:
    """The path, or what is nearest above it and exists."""
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())


def _describe_torch(torch: Any, broken: dict[str, str]) -> dict[str, Any]:
    if torch is None:
        names = ("torch_threads", "torch_cpu", "cuda", "cudnn", "rocm")
        lists = ("gpus", "gpu_memory_gib", "gpu_architectures", "torch_architectures")
        return {**dict.fromkeys(names), "mps": False, **{name: [] for name in lists}}
    gpus = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch warns of where a driver is too old is said in other words
            if torch.cuda.is_available():
                gpus = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    except RuntimeError as error:  # a GPU that is there and will not work, as one that another process has for itself
        broken["cuda"] = _describe_error(error)
    return {
        "torch_threads": torch.get_num_threads(),
        "torch_cpu": torch.backends.cpu.get_cpu_capability(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "rocm": torch.version.hip,
        "mps": torch.backends.mps.is_available(),
        "gpus": [gpu.name for gpu in gpus],
        "gpu_memory_gib": [_gib(gpu.total_memory) for gpu in gpus],
        "gpu_architectures": [f"sm_{gpu.major}{gpu.minor}" for gpu in gpus] if torch.version.cuda else [],
        "torch_architectures": torch.cuda.get_arch_list(),
    }


def _describe_driver() -> dict[str, Any]:
    driver = ask_driver()
    return {
        "nvidia_driver": driver.version if driver else None,
        "nvidia_driver_cuda": "{}.{}".format(*driver.cuda) if driver and driver.cuda else None,
        "nvidia_gpus": list(driver.gpus) if driver else [],
    }


def _describe_runtimes() -> dict[str, Any]:
    providers = devices = None
    if Backend.ONNX.works:
        providers = list(import_onnxruntime().get_available_providers())
    if Backend.OPENVINO.works:
        core = import_openvino().Core()
        devices = [f"{name}: {core.get_property(name, 'FULL_DEVICE_NAME')}" for name in core.available_devices]
    return {"onnxruntime_providers": providers, "openvino_devices": devices}


def _import(name: str, broken: dict[str, str]) -> Any:
    """A module; None where it cannot be imported, which is noted where it is installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            broken[name] = _describe_error(error)
    except Exception as error:  # noqa: BLE001 # libraries of the wrong system or version make an import raise anything
        broken[name] = _describe_error(error)
    return None


def _describe_error(error: Exception) -> str:
    """What went wrong; files' names without the folders that they are in, which may name people and hosts."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    for folder in sorted({sys.prefix, sys.base_prefix, str(Path.home())}, key=len, reverse=True):
        text = text.replace(folder, "")
    return re.sub(r"(?:[A-Za-z]:)?[\\/](?:[^\\/\s'\":]+[\\/])*", "", text)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    lines = _cpuinfo()
    named = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()


def _instructions() -> list[str] | None:
    flags = next((line.split(":", 1)[1].split() for line in _cpuinfo() if line.startswith(("flags", "Features"))), None)
    return None if flags is None else [name for name in _INSTRUCTIONS if name in flags]


def _cpuinfo() -> list[str]:
    with suppress(OSError):
        return Path("/proc/cpuinfo").read_text().splitlines()
    return []  # not Linux


def _memory() -> float | None:
    try:
        return _gib(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError):  # Windows
        return None


def _gib(size: int | None) -> float | None:
    return None if size is None else round(size / 2**30, 1)
