"""What can run a model, and which of that is fastest where."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

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
    def installed(self) -> bool:
        """Whether its package is there; it is not imported."""
        return importlib.util.find_spec(self.value) is not None


def fastest_on_cpu(precision: Precision, pictures: int | None) -> Backend:
    """What runs a model fastest on this processor, of what is installed, where it is at hand as ONNX too.

    OpenVINO is the fastest in bfloat16, and as fast as any in float32. Else onnxruntime, which has float32 only, starts
    in a tenth of the time of torch, and torch in bfloat16 is faster per picture where the processor has it.

    Args:
        precision: What a person asked for.
        pictures: How many pictures there are; None where that is not known, which counts as many.
    """
    if Backend.OPENVINO.installed:
        return Backend.OPENVINO
    if precision not in {Precision.AUTO, Precision.FP32} or not Backend.ONNX.installed:
        return Backend.TORCH
    many = pictures is None or pictures >= MANY_PICTURES
    if precision is Precision.AUTO and many and _processor_has_bf16():
        return Backend.TORCH
    return Backend.ONNX


def fastest_for_onnx(device: str) -> Backend:
    """What runs an ONNX file fastest on a device: OpenVINO where it is installed, but not on CUDA.

    Args:
        device: auto, cpu, cuda, cuda:N or gpu.
    """
    on_cuda = device.startswith("cuda") or (device == "auto" and _onnxruntime_has_cuda())
    return Backend.OPENVINO if Backend.OPENVINO.installed and not on_cuda else Backend.ONNX


def may_have_accelerator() -> bool:
    """Whether it is worth the second that importing torch takes to ask it for CUDA or MPS."""
    if sys.platform == "darwin":
        return True
    drivers = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1",)
    for driver in drivers:
        with suppress(OSError):
            ctypes.CDLL(driver)
            return True
    return Path("/dev/kfd").exists()  # AMD's, which torch calls CUDA too


def _onnxruntime_has_cuda() -> bool:
    if not may_have_accelerator() or not Backend.ONNX.installed:
        return False
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def _processor_has_bf16() -> bool:
    """As `torch.cpu` tells it, without importing torch; where the system has no such file, it counts as no."""
    try:
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
