"""Which device to compute on, and in which precision and memory layout."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch

from lesionctl.errors import UsageError
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.threads import available_cpus, threads_are_chosen

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import nn

_M = TypeVar("_M", bound="nn.Module")


@dataclass(frozen=True)
class Compute:
    """Where and how to compute.

    Attributes:
        device: The torch device.
        precision: Resolved, never AUTO.
        channels_last: Whether weights and pictures are kept in channels_last, the faster layout for convolutions on CPU
            and GPU alike.
    """

    device: torch.device
    precision: Precision
    channels_last: bool = True

    def place(self, module: _M) -> _M:
        """Move a module to the device, in the layout that was chosen."""
        module.to(self.device)
        if self.channels_last:
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return module

    @property
    def bf16(self) -> bool:
        """Whether the forward pass runs in bfloat16."""
        return self.precision is Precision.BF16

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which to run a forward pass."""
        if self.precision is Precision.FP32:
            return contextlib.nullcontext()
        dtype = torch.bfloat16 if self.bf16 else torch.float16
        return torch.autocast(self.device.type, dtype)


def choose_compute(device: str = "auto", precision: Precision = Precision.AUTO) -> Compute:
    """Resolve what a person asked for into a device and a precision that it has, and make the process ready for it.

    Args:
        device: auto, cpu, cuda, cuda:N or mps; auto takes CUDA, then MPS, then the CPU.
        precision: AUTO takes bfloat16 where the hardware multiplies it, else float16 on a GPU, else float32.

    Raises:
        UsageError: This machine or this build of torch has no such device, or the device has no such precision.
    """
    chosen, precision = _choose_device(device), Precision(precision)
    if chosen.type == "cuda" and chosen.index is not None:
        torch.cuda.set_device(chosen)  # streams, events and questions without a device mean the current one
    if chosen.type == "cpu":
        _use_granted_cpus()
        keep_freed_memory()
    if precision is Precision.FP16 and chosen.type == "cpu":
        raise UsageError("float16 is not for the CPU", hint="use --precision bf16 or fp32")
    if precision is Precision.AUTO:
        precision = _best_precision(chosen)
    return Compute(chosen, precision)


def require_compiler(device: torch.device) -> None:
    """See that what torch compiles can be compiled.

    Raises:
        UsageError: The CPU needs a C++ compiler, and there is none.
    """
    if device.type == "cpu" and not shutil.which(os.environ.get("CXX", "g++")):
        raise UsageError("--compile needs a C++ compiler on the CPU", hint="install g++, or leave out --compile")


def has_accelerator() -> bool:
    """Whether this machine and this build of torch have CUDA or MPS."""
    return torch.cuda.is_available() or torch.backends.mps.is_available()


def _choose_device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"'{name}' is no device", hint="use auto, cpu, cuda, cuda:N or mps") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"there is no device '{name}': torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices",
            hint="use --device cpu, or install a CUDA build of torch and a driver that fits it",
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError("this machine has no MPS device", hint="use --device cpu")
    if device.type not in {"cpu", "cuda", "mps"}:
        raise UsageError(f"the device '{name}' is not supported", hint="use auto, cpu, cuda, cuda:N or mps")
    return device


def _best_precision(device: torch.device) -> Precision:
    if device.type == "cuda":
        return Precision.BF16 if torch.cuda.is_bf16_supported(including_emulation=False) else Precision.FP16
    if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return Precision.BF16
    return Precision.FP32


def _use_granted_cpus() -> None:
    if not threads_are_chosen():
        torch.set_num_threads(available_cpus())


def keep_freed_memory() -> None:
    """Let the process keep the memory of freed tensors instead of returning it to the system at every step.

    glibc maps each large block afresh and unmaps it when it is freed, so a network on the CPU spends a good part of its
    time on page faults. Serving all from one heap that never shrinks avoids that, and makes a U-Net over
    tf_efficientnet_lite0 1.2 (training in bfloat16) to 2.4 times (training in float32) as fast; the process stays as
    large as its largest step. Does nothing where the C library is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    trim_threshold, top_pad, mmap_max, arena_max = -1, -2, -4, -8  # mallopt's parameters in malloc.h
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(arena_max, 1)
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 2**29)
