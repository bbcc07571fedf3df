"""Which device and precision come of what was asked for, on machines of every kind."""

from __future__ import annotations

import pytest
import torch

from lesionctl.errors import UsageError
from lesionctl.runtime.device import Compute, choose_compute
from lesionctl.runtime.precision import Precision


@pytest.fixture
def machine(monkeypatch):
    """A function that makes torch believe in other hardware, and returns what becomes CUDA's current device."""
    current = []

    def pretend(*, cuda=0, mps=False, gpu_bf16=True, cpu_bf16=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "set_device", current.append)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: gpu_bf16)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: cpu_bf16)
        return current

    return pretend


@pytest.mark.parametrize(
    ("hardware", "asked", "expected"),
    [
        ({}, ("auto", "auto"), ("cpu", "fp32")),
        ({"cpu_bf16": True}, ("auto", "auto"), ("cpu", "bf16")),
        ({"cpu_bf16": True}, ("cpu", "fp32"), ("cpu", "fp32")),
        ({"cuda": 1}, ("auto", "auto"), ("cuda", "bf16")),
        ({"cuda": 1, "gpu_bf16": False}, ("auto", "auto"), ("cuda", "fp16")),  # before Ampere
        ({"cuda": 1}, ("auto", "fp16"), ("cuda", "fp16")),
        ({"cuda": 1}, ("cpu", "auto"), ("cpu", "fp32")),
        ({"cuda": 2}, ("cuda:1", "fp32"), ("cuda:1", "fp32")),
        ({"cuda": 1, "mps": True}, ("auto", "auto"), ("cuda", "bf16")),
        ({"mps": True}, ("auto", "auto"), ("mps", "fp32")),
        ({"mps": True}, ("mps", "fp16"), ("mps", "fp16")),
    ],
)
def test_choice(machine, hardware, asked, expected):
    current = machine(**hardware)
    compute = choose_compute(asked[0], Precision(asked[1]))
    assert (str(compute.device), compute.precision) == expected
    assert current == ([torch.device(expected[0])] if ":" in expected[0] else [])  # a numbered one becomes the current


@pytest.mark.parametrize(
    ("hardware", "asked", "message"),
    [
        ({}, ("cuda", "auto"), "there is no device 'cuda': torch .* sees 0 CUDA devices"),
        ({"cuda": 1}, ("cuda:1", "auto"), "there is no device 'cuda:1': torch .* sees 1 CUDA devices"),
        ({}, ("mps", "auto"), "this machine has no MPS device"),
        ({}, ("gpu", "auto"), "'gpu' is no device"),
        ({}, ("", "auto"), "'' is no device"),
        ({}, ("meta", "auto"), "the device 'meta' is not supported"),
        ({}, ("cpu", "fp16"), "float16 is not for the CPU"),
    ],
)
def test_what_the_machine_does_not_have_is_a_usage_error(machine, hardware, asked, message):
    machine(**hardware)
    with pytest.raises(UsageError, match=message) as caught:
        choose_compute(asked[0], Precision(asked[1]))
    assert caught.value.hint


@pytest.mark.parametrize(("own_choice", "threads"), [(None, 1), ("2", 2)])
def test_cpu_uses_the_processors_that_were_granted_unless_a_person_chose(machine, monkeypatch, own_choice, threads):
    machine()
    before = torch.get_num_threads()
    try:
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        if own_choice is not None:
            monkeypatch.setenv("OMP_NUM_THREADS", own_choice)
        torch.set_num_threads(2)
        choose_compute("cpu")
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("precision", "dtype"), [(Precision.FP32, torch.float32), (Precision.BF16, torch.bfloat16)])
def test_forward_pass_runs_in_the_precision(precision, dtype):
    compute = Compute(torch.device("cpu"), precision)
    convolution = compute.place(torch.nn.Conv2d(3, 4, 3))
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last)
    with compute.autocast():
        assert convolution(torch.rand(1, 3, 8, 8)).dtype == dtype
    assert convolution.weight.dtype == torch.float32
    assert compute.bf16 is (precision is Precision.BF16)
