"""One of several processes takes its own GPU where its backend can use one; on the CPU they share the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lesionctl.errors import UsageError
from lesionctl.runtime import backend as choice
from lesionctl.runtime import load
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.load import load_segmenter
from lesionctl.runtime.world import World

WORLD = World(rank=5, size=8, local_rank=1, address="localhost", port=10_000)


class Fake:
    """Stands for a Segmenter."""


@pytest.fixture(autouse=True)
def two_gpus(monkeypatch):
    """A machine with two GPUs, whatever it has."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr(load, "may_have_accelerator", lambda: True)
    monkeypatch.setattr(choice, "may_have_accelerator", lambda: True)


@pytest.fixture
def asked(monkeypatch):
    """The devices that are asked for, of torch and of onnxruntime, neither of which is started."""
    devices = []

    def ask(_path, device, _precision):
        devices.append(device)
        return Fake()

    monkeypatch.setattr(load, "_load_in_torch", ask)
    monkeypatch.setattr("lesionctl.runtime.onnx_segmenter.OnnxSegmenter", ask)
    return devices


def test_on_torch_each_process_takes_its_own(model_file, asked):
    for device in ("auto", "cuda", "cpu"):
        load_segmenter(str(model_file), device, world=WORLD)
    assert asked == ["cuda:1", "cuda:1", "cpu"]
    load_segmenter(str(model_file), "cuda:0")  # a process that works alone
    assert asked[-1] == "cuda:0"
    with pytest.raises(UsageError, match="8 processes cannot work together on the device 'cuda:0'"):
        load_segmenter(str(model_file), "cuda:0", world=WORLD)


@pytest.mark.parametrize("has_cuda", [True, False])
def test_on_onnxruntime_too_where_it_has_cuda(tiny_onnx, asked, monkeypatch, has_cuda):
    monkeypatch.setattr(load, "onnxruntime_has_cuda", lambda: has_cuda)
    for device in ("auto", "cuda", "cpu"):
        load_segmenter(str(tiny_onnx), device, backend=Backend.ONNX, world=WORLD)
    assert asked == (["cuda:1", "cuda:1", "cpu"] if has_cuda else ["auto", "cuda", "cpu"])


@pytest.mark.parametrize("backend", [Backend.ONNX, Backend.OPENVINO])
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_a_backend_without_cuda_works_on_the_cpu(tiny_onnx, monkeypatch, backend, device):
    pytest.importorskip(backend.value)
    monkeypatch.setattr(load, "onnxruntime_has_cuda", lambda: False)
    segmenter = load_segmenter(str(tiny_onnx), device, "fp32", backend, world=WORLD)
    assert segmenter.backend == f"{backend} fp32 cpu"


@pytest.mark.parametrize("backend", [Backend.ONNX, Backend.OPENVINO])
def test_it_does_without_torch(tiny_onnx, backend):
    pytest.importorskip(backend.value)
    script = """
import sys
from lesionctl.runtime.load import load_segmenter
from lesionctl.runtime.world import World
world = World(rank=5, size=8, local_rank=1, address="localhost", port=10_000)
load_segmenter(sys.argv[1], backend=sys.argv[2], world=world)
print("torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tiny_onnx, backend], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
