"""Whether an error says that there is no memory left, whichever backend raised it; torch is not imported for it."""

from __future__ import annotations

_TEXTS = (
    "out of memory",  # CUDA and MPS
    "DefaultCPUAllocator",  # torch on the CPU
    "Failed to allocate",  # onnxruntime and OpenVINO
    "bad_alloc",  # C++, wherever a backend passes it on as it is
    "bad allocation",  # the same on Windows
    "ALLOC_FAILED",  # cuBLAS and cuDNN
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the host, has no memory left.

    torch has a type of its own for CUDA alone, and onnxruntime and OpenVINO have none: elsewhere the text must tell.
    """
    if isinstance(error, MemoryError):
        return True
    of_a_runtime = isinstance(error, RuntimeError) or type(error).__module__.startswith("onnxruntime")
    return of_a_runtime and any(text in str(error) for text in _TEXTS)
