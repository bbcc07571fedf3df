"""What can run a model, and which of that is fastest where."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from lesionctl.errors import LesionctlError, MissingExtra
from lesionctl.runtime.onnxruntime_import import import_onnxruntime
from lesionctl.runtime.openvino_import import import_openvino
from lesionctl.runtime.precision import Precision

MANY_PICTURES = 300
"""From here on torch in bfloat16 has made up for the time that it takes to start, compared with onnxruntime."""


class Backend(StrEnum):
    """What runs a model."""

    AUTO = "auto"
    TORCH = "torch"
    ONNX = "onnxruntime"
    OPENVINO = "openvino"

    @property
    def works(self) -> bool:
        """Whether its package is there and can be imported, which is tried: one that is there may lack a library."""
        if importlib.util.find_spec(self.value) is None:
            return False
        with suppress(Exception):  # libraries of the wrong system or version make an import raise anything
            _IMPORTS[self]() if self in _IMPORTS else importlib.import_module(self.value)
            return True
        return False

    def not_loaded(self, path: Path, error: Exception) -> LesionctlError:
        """Why this backend, whose package an extra brings, cannot run a file.

        Args:
            path: The file.
            error: What importing the package raised.
        """
        extra = "onnx" if self is Backend.ONNX else self.value
        if importlib.util.find_spec(self.value) is None:
            return MissingExtra(self.value, extra, f"running {path}")
        reason = " ".join(str(error).split()) or type(error).__name__
        return LesionctlError(
            f"running {path} needs the package '{self}', which is installed but cannot be loaded ({reason})",
            hint=f"pip install --force-reinstall {self}, or use another --backend",
        )


_IMPORTS = {Backend.ONNX: import_onnxruntime, Backend.OPENVINO: import_openvino}


def fastest_on_cpu(precision: Precision, pictures: int | None) -> Backend:
    """What runs a model fastest on this processor, of what can be imported here, where it is at hand as ONNX too.

    OpenVINO is the fastest in bfloat16, and as fast as any in float32. Else onnxruntime, which has float32 only, starts
    in a tenth of the time of torch, and torch in bfloat16 is faster per picture where the processor has it.

    Args:
        precision: What a person asked for.
        pictures: How many pictures there are; None where that is not known, which counts as many.
    """
    if Backend.OPENVINO.works:
        return Backend.OPENVINO
    many = pictures is None or pictures >= MANY_PICTURES
    if precision not in {Precision.AUTO, Precision.FP32} or (
        precision is Precision.AUTO and many and processor_has_bf16()
    ):
        return Backend.TORCH
    return Backend.ONNX if Backend.ONNX.works else Backend.TORCH


def fastest_for_onnx(device: str) -> Backend:
    """What runs an ONNX file fastest on a device: OpenVINO where it can be imported, but not on CUDA.

    Args:
        device: auto, cpu, cuda, cuda:N or gpu.
    """
    on_cuda = device.startswith("cuda") or (device == "auto" and onnxruntime_has_cuda())
    return Backend.OPENVINO if not on_cuda and Backend.OPENVINO.works else Backend.ONNX


def may_have_accelerator() -> bool:
    """Whether it is worth the second that importing torch takes to ask it for CUDA or MPS."""
    if sys.platform == "darwin":
        return True
    import ctypes

    drivers = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1",)
    for driver in drivers:
        with suppress(OSError):
            ctypes.CDLL(driver)
            return True
    return Path("/dev/kfd").exists()  # AMD's, which torch calls CUDA too


def onnxruntime_has_cuda() -> bool:
    """Whether the build of onnxruntime that is installed knows CUDA, on a machine that may have it."""
    if not may_have_accelerator() or not Backend.ONNX.works:
        return False
    return "CUDAExecutionProvider" in import_onnxruntime().get_available_providers()


def processor_has_bf16() -> bool:
    """As `torch.cpu` tells it, without importing torch; where the system has no such file, it counts as no."""
    try:
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
