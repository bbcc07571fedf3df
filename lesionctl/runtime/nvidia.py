"""What NVIDIA's driver says, whatever torch can see: the two may not fit each other."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any, NamedTuple

_LIBRARY = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
_TEXT = 96  # bytes: the longest that the library writes, a GPU's name (NVML_DEVICE_NAME_V2_BUFFER_SIZE)
_VERSION = Path("/sys/module/nvidia/version")


class Driver(NamedTuple):
    """NVIDIA's driver on this machine.

    Attributes:
        version: Such as `570.86.15`.
        cuda: The newest CUDA whose programs it runs, such as (12, 8); None where it does not say.
        gpus: The name of each GPU that it drives, those among them that `CUDA_VISIBLE_DEVICES` hides.
    """

    version: str
    cuda: tuple[int, int] | None
    gpus: tuple[str, ...]


def ask_driver() -> Driver | None:
    """Ask NVIDIA's management library (NVML), which comes with the driver; None where there is no driver.

    Nothing is set up on a GPU, so that processes may still be forked.
    """
    library = _load()
    if library is None or library.nvmlInit_v2() != 0:
        try:
            return Driver(_VERSION.read_text().strip(), None, ())  # a container that was given no library
        except OSError:
            return None
    try:
        cuda = ctypes.c_int()
        known = library.nvmlSystemGetCudaDriverVersion_v2(ctypes.byref(cuda)) == 0
        version = _text(library.nvmlSystemGetDriverVersion)
        return Driver(version, (cuda.value // 1000, cuda.value % 1000 // 10) if known else None, tuple(_names(library)))
    finally:
        library.nvmlShutdown()


def _load() -> Any:
    try:
        return ctypes.CDLL(_LIBRARY)
    except OSError:
        return None


def _names(library: Any) -> list[str]:
    count = ctypes.c_uint()
    if library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
        return []
    names = []
    for index in range(count.value):
        handle = ctypes.c_void_p()
        if library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle)) == 0:  # else not ours
            names.append(_text(library.nvmlDeviceGetName, handle))
    return names


def _text(function: Any, *arguments: Any) -> str:
    buffer = ctypes.create_string_buffer(_TEXT)
    function(*arguments, buffer, ctypes.c_uint(_TEXT))
    return buffer.value.decode(errors="replace")
