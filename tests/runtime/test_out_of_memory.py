"""Lack of memory, in the words of each backend."""

from __future__ import annotations

import pytest
import torch

from lesionctl.runtime.out_of_memory import is_out_of_memory


def of_onnxruntime(text):
    kind = type("RuntimeException", (Exception,), {"__module__": "onnxruntime.capi.onnxruntime_pybind11_state"})
    return kind(text)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
        of_onnxruntime("bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 134217728"),
        of_onnxruntime("CUDA failure 2: out of memory"),
        of_onnxruntime("Non-zero status code returned while running Mul node. Status Message: std::bad_alloc"),
        RuntimeError("Failed to allocate 67108864 bytes of memory"),  # OpenVINO
    ],
)
def test_lack_of_memory_is_known(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("shape mismatch"), ValueError("out of memory"), of_onnxruntime("invalid argument")]
)
def test_other_errors_are_other_errors(error):
    assert not is_out_of_memory(error)


def test_the_cpu_runs_out_of_memory_with_a_plain_error_that_is_known():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**52)
    assert is_out_of_memory(caught.value)
