"""What is wrong on this machine, in plain words, with what to do about it."""

from __future__ import annotations

import importlib.util
import locale
import os
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionctl.paths import (
    BUNDLED_MODELS,
    CACHE_VARIABLE,
    DEFAULT_MODEL,
    cache_dir,
    encoders_directory,
)
from lesionctl.progress import format_bytes
from lesionctl.runtime.environment import SHARED_MEMORY, describe_environment, is_offline, nearest_folder
from lesionctl.runtime.import_trial import try_imports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_GIB = 2**30
_LEAST_ROOM = 2 * _GIB  # ISIC 2018's masks alone take more
_LEAST_SHARED_MEMORY = _GIB  # 16 workers' steps of 16 pictures of 384 pixels, kept three deep, in half of it

_NEEDED = ("torch", "cv2", "timm", "albumentations", "scipy", "safetensors", "PIL")
_INSTALLED_AS = {"PIL": "pillow", "cv2": "opencv-python-headless", "pillow_heif": "pillow-heif"}
_EXTRAS = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("openvino",),
    "plot": ("matplotlib",),
    "pdf": ("weasyprint",),
    "dicom": ("pydicom",),
    "heif": ("pillow_heif",),
    "rar": ("rarfile",),
    "tensorboard": ("tensorboardX",),
}


@dataclass(frozen=True)
class Finding:
    """One thing about this machine.

    Attributes:
        what: What is the case, in a sentence without a full stop.
        is_wrong: Whether something should be done; else it is good to know.
        hint: What to do; may be empty where nothing is wrong.
    """

    what: str
    is_wrong: bool
    hint: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms."""
        return asdict(self)


def check_readiness(environment: Mapping[str, Any] | None = None) -> list[Finding]:
    """Look for what keeps the program from working, or from working as fast as it could.

    Folders are named: this is for the person at the terminal. Packages are imported in another process, which takes
    some seconds.

    Args:
        environment: From `describe_environment`, where it was asked for already.

    Returns:
        What is wrong first.
    """
    known = describe_environment() if environment is None else environment
    found = [
        *check_packages(known),
        *check_gpu(known),
        *check_processors(known),
        *check_folders(),
        *check_shared_memory(known),
        *check_offline(),
        *check_text(),
    ]
    return sorted(found, key=lambda finding: not finding.is_wrong)


def check_packages(environment: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether each package that is installed can be imported, and which extras are not installed."""
    here = {extra: [name for name in names if _is_here(name)] for extra, names in _EXTRAS.items()}
    broken = {name: reason for name, reason in environment["broken"].items() if name != "cuda"}
    needed = [name for name in _NEEDED if _is_here(name) and name not in ("torch", "cv2")]  # which it has tried
    if "torch" in broken:
        needed.remove("timm")  # one trouble is told once
    broken |= try_imports([*needed, *(name for names in here.values() for name in names)])
    for name, reason in broken.items():
        yield Finding(
            f"the package '{name}' is installed but cannot be imported ({reason})",
            is_wrong=True,
            hint=f"pip install --force-reinstall {_INSTALLED_AS.get(name, name)}, in an environment of its own",
        )
    for name in _NEEDED:
        if not _is_here(name):
            told = f"the package '{name}' is not installed, and nothing works without it"
            yield Finding(told, is_wrong=True, hint=f"pip install {_INSTALLED_AS.get(name, name)}")
    missing = [extra for extra, names in here.items() if len(names) < len(_EXTRAS[extra])]
    if missing:
        yield Finding(
            f"not installed: the extras {', '.join(missing)}",
            is_wrong=False,
            hint=f"pip install 'lesionctl[{','.join(missing)}]'",
        )


def _is_here(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def check_gpu(environment: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether torch, NVIDIA's driver and the GPUs fit one another."""
    torch, built_for = environment["torch"], environment["cuda"]
    has_gpu = bool(environment["nvidia_gpus"] or environment["nvidia_driver"])
    if "torch" in environment["broken"] or torch is None:
        return
    if has_gpu and built_for is None and environment["rocm"] is None:
        gpus = ", ".join(environment["nvidia_gpus"]) or f"NVIDIA's driver {environment['nvidia_driver']}"
        yield Finding(
            f"this machine has {gpus}, and torch {torch} is built without CUDA: everything runs on the processor",
            is_wrong=True,
            hint="install a CUDA build of torch and torchvision of the same version, as pytorch.org says",
        )
    elif built_for is not None and not environment["gpus"]:
        yield _explain_no_gpu(environment, has_gpu)
    for name, gpu in zip(environment["gpus"], environment["gpu_architectures"], strict=False):
        if not _can_run(gpu, environment["torch_architectures"]):
            yield Finding(
                f"torch {torch} has no programs for {name} ({gpu}), only for "
                + ", ".join(environment["torch_architectures"]),
                is_wrong=True,
                hint="install a build of torch that names this architecture, or use --device cpu",
            )


def _explain_no_gpu(environment: Mapping[str, Any], has_gpu: bool) -> Finding:
    """Why a CUDA build of torch sees no GPU."""
    built = f"torch {environment['torch']} is built for CUDA {environment['cuda']}"
    runs, visible = environment["nvidia_driver_cuda"], os.environ.get("CUDA_VISIBLE_DEVICES")
    if not has_gpu:
        return Finding(
            f"{built}, and this machine has no NVIDIA GPU or driver: everything runs on the processor",
            is_wrong=False,
            hint="on a cluster, ask for a GPU, such as with --gres=gpu:1; else a CPU build of torch saves gigabytes",
        )
    if visible in {"", "-1", "NoDevFiles"}:
        return Finding(
            f"CUDA_VISIBLE_DEVICES is '{visible}': this machine's GPUs are hidden from this process",
            is_wrong=True,
            hint="on a cluster, ask for a GPU, such as with --gres=gpu:1; else unset CUDA_VISIBLE_DEVICES",
        )
    if runs is not None and int(runs.split(".")[0]) < int(environment["cuda"].split(".")[0]):
        return Finding(
            f"{built}, and NVIDIA's driver {environment['nvidia_driver']} runs CUDA {runs} at most",
            is_wrong=True,
            hint=f"install a newer driver, or a build of torch for CUDA {runs} or older",
        )
    reason = environment["broken"].get("cuda")
    return Finding(
        f"{built}, NVIDIA's driver {environment['nvidia_driver']} is there, and no GPU can be used"
        + (f" ({reason})" if reason else ""),
        is_wrong=True,
        hint="see whether nvidia-smi lists a GPU, and whether another process has it for itself; a container needs "
        "--gpus all",
    )


def _can_run(gpu: str, architectures: list[str]) -> bool:
    """Whether programs for one of these architectures run on a GPU: of its own generation, or translated (PTX)."""
    number = int(gpu.removeprefix("sm_"))
    for architecture in architectures:
        kind, _, digits = architecture.partition("_")
        built = int("".join(filter(str.isdigit, digits)) or 0)  # sm_90a, sm_120
        if built <= number and (kind == "compute" or built // 10 == number // 10):
            return True
    return not architectures


def check_processors(environment: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether this process uses the processors that it was granted, and no more."""
    available, of_machine, quota = environment["cpus_available"], environment["cpus"], environment["cpu_quota"]
    threads = environment["omp_num_threads"] or ""
    if threads.isdigit() and int(threads) > available:
        yield Finding(
            f"OMP_NUM_THREADS is {threads}, and this process may use {available} of the machine's {of_machine} "
            "processors: threads wait for one another",
            is_wrong=True,
            hint=f"unset OMP_NUM_THREADS, or set it to {available}",
        )
    elif threads.isdigit() and 0 < int(threads) < available:
        yield Finding(
            f"OMP_NUM_THREADS is {threads}: networks on the processor use {threads} of the {available} that this "
            "process may use",
            is_wrong=False,
            hint="unset OMP_NUM_THREADS to use them all",
        )
    if available == 1 and of_machine > 1:
        yield Finding(
            f"this process was granted 1 of the machine's {of_machine} processors",
            is_wrong=True,
            hint="ask SLURM for more with --cpus-per-task, or start it without taskset",
        )
    if quota is not None and quota < 0.9 * available:
        yield Finding(
            f"this container is granted the time of {quota:g} processors, and the program sees {available}: "
            "threads stand still for most of the time",
            is_wrong=True,
            hint=f"start it with taskset -c 0-{max(1, int(quota)) - 1}, or the container with --cpuset-cpus",
        )


def check_folders() -> Iterator[Finding]:
    """Whether the cache and the folder for temporary files can be written to, and have room."""
    for what, folder, hint in (
        ("the cache", cache_dir(), f"name a folder of your own for the cache in {CACHE_VARIABLE}"),
        ("the folder for temporary files", Path(tempfile.gettempdir()), "name another one in TMPDIR"),
    ):
        there = nearest_folder(folder)
        if reason := _why_not_writable(there):
            yield Finding(f"nothing can be written to {what} {folder} ({reason})", is_wrong=True, hint=hint)
        elif (free := shutil.disk_usage(there).free) < _LEAST_ROOM:
            yield Finding(
                f"{format_bytes(free)} are free on the disk of {what} {folder}",
                is_wrong=True,
                hint=f"make room, or {hint}",
            )
        if there == folder and not os.access(folder, os.R_OK | os.X_OK):
            yield Finding(f"{what} {folder} cannot be read", is_wrong=True, hint=hint)


def _why_not_writable(folder: Path) -> str:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def check_shared_memory(environment: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the workers of a training on a GPU can hand over what they prepare."""
    if not SHARED_MEMORY.is_dir() or not (environment["gpus"] or environment["nvidia_gpus"]):
        return  # on the processor, threads prepare the pictures
    if (free := shutil.disk_usage(SHARED_MEMORY).free) < _LEAST_SHARED_MEMORY:
        yield Finding(
            f"{format_bytes(free)} of shared memory are free ({SHARED_MEMORY}): training on a GPU gets by with fewer "
            "workers, and may wait for them",
            is_wrong=True,
            hint="start the container with --shm-size=8g",
        )


def check_offline() -> Iterator[Finding]:
    """What works here without a network."""
    files = [BUNDLED_MODELS / f"{DEFAULT_MODEL}{suffix}" for suffix in (".safetensors", ".onnx")]
    for file in files:
        if not os.access(file, os.R_OK):
            yield Finding(f"{file}: the bundled model is missing", is_wrong=True, hint="install lesionctl again")
    encoders = sorted(path.stem for path in encoders_directory().glob("*.safetensors"))
    if encoders:
        told = ", ".join(encoders[:5]) + (f" and {len(encoders) - 5} more" if len(encoders) > 5 else "")
        yield Finding(f"without a network, training can start from the weights of {told}", is_wrong=False)
    else:
        yield Finding(
            "no encoder weights are in the cache: without a network, training starts from a bundled model (--init) or "
            "from random weights",
            is_wrong=is_offline(),
            hint="where a network is: lesionctl fetch --encoder NAME",
        )


def check_text() -> Iterator[Finding]:
    """Whether names of files in any language can be read and printed."""
    for what, encoding in (
        ("names of files", sys.getfilesystemencoding()),
        ("what is printed", getattr(sys.stdout, "encoding", None) or locale.getpreferredencoding(False)),
    ):
        if encoding.lower().replace("_", "-") not in {"utf-8", "utf8"}:
            yield Finding(
                f"{what}: the encoding is {encoding}, which lacks most of the world's letters",
                is_wrong=True,
                hint="set PYTHONUTF8=1, or a locale such as LANG=C.UTF-8",
            )
