"""The highest memory of a process, and of a GPU where torch does not compute on it."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from lesionctl.runtime.device import Compute
from lesionctl.runtime.peak_memory import device_peak_mb, peak_memory_mb, process_peak_mb
from lesionctl.runtime.precision import Precision


def test_the_peak_of_a_process_is_its_own_and_stays():
    script = """
import sys
import numpy as np
from lesionctl.runtime.peak_memory import process_peak_mb
before = process_peak_mb()
np.ones(150 * 10**6, np.uint8)
print(before, process_peak_mb(), "torch" in sys.modules)
"""
    ballast = np.ones(400 * 10**6, np.uint8)  # of this process, not of that one
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    before, after = float(answer[0]), float(answer[1])
    assert 5 < before < 250
    assert before + 130 < after < ballast.nbytes / 1e6
    assert answer[2] == "False"


def test_on_the_cpu_it_is_the_memory_of_the_process():
    compute = Compute(torch.device("cpu"), Precision.FP32)
    assert peak_memory_mb(compute) == pytest.approx(process_peak_mb(), rel=0.05)


@pytest.mark.parametrize("device", ["cpu", "gpu", "mps"])
def test_where_no_memory_of_its_own_can_be_told_it_is_none(device):
    assert device_peak_mb(device) is None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("1, 900\n{pid}, 512\n", 512 * 2**20 / 1e6),
        ("{pid}, 512\n{pid}, 256\n", 768 * 2**20 / 1e6),  # on two GPUs
        ("{pid}, [N/A]\n", None),
        ("1, 900\n", None),
        ("", None),
    ],
)
def test_another_runtime_than_torch_is_asked_about_through_the_driver(tmp_path, monkeypatch, rows, expected):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ncat <<END\n{rows.format(pid=os.getpid())}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    assert device_peak_mb("cuda") == (expected and pytest.approx(expected))


def test_without_the_drivers_program_nobody_says(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    assert device_peak_mb("cuda:0") is None


def test_tensors_of_torch_on_a_gpu_are_counted_by_torch(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: {"cuda:1": 7_000_000}[device])
    assert device_peak_mb("cuda:1") == 7.0
