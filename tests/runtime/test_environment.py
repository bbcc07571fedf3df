from __future__ import annotations

import ctypes
import getpass
import importlib
import json
import os
import platform
import socket
from pathlib import Path

import pytest
import torch

from lesionctl import __version__
from lesionctl.runtime import environment as module
from lesionctl.runtime import nvidia
from lesionctl.runtime.environment import describe_environment, nearest_folder
from lesionctl.runtime.grants import cpu_quota, memory_limit
from lesionctl.runtime.nvidia import Driver, ask_driver


def test_environment_names_what_matters():
    environment = describe_environment()
    assert environment["lesionctl"] == __version__
    assert environment["python"] == platform.python_version()
    assert environment["torch"] == torch.__version__
    assert {"timm", "albumentations", "numpy", "opencv", "processor", "onnxruntime"} <= environment.keys()
    assert environment["cpus_available"] >= 1
    assert environment["cpus"] >= environment["cpus_available"]
    assert environment["torch_threads"] == torch.get_num_threads()
    assert environment["omp_num_threads"] == os.environ["OMP_NUM_THREADS"]
    assert environment["memory_gib"] is None or environment["memory_gib"] > 0.5
    assert len(environment["gpus"]) == len(environment["gpu_memory_gib"]) == torch.cuda.device_count()
    assert environment["broken"] == {}


def test_environment_goes_through_json_unchanged_and_names_no_host_and_no_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("LESIONCTL_CACHE_DIR", str(tmp_path / "of_ann_lee"))
    environment = describe_environment()
    text = json.dumps(environment)
    assert json.loads(text) == environment
    assert "of_ann_lee" not in text
    assert str(Path.home()) not in text or Path.home() == Path("/")
    names = {name for name in (socket.gethostname(), getpass.getuser()) if len(name) > 4}
    assert not {name for name in names if name in text}  # a shorter name is found anywhere


def test_runtimes_are_asked_only_where_that_is_wanted():
    onnxruntime = pytest.importorskip("onnxruntime")
    assert "onnxruntime_providers" not in describe_environment()
    found = describe_environment(runtimes=True)
    assert found["onnxruntime_providers"] == onnxruntime.get_available_providers()
    pytest.importorskip("openvino")
    assert any(device.startswith("CPU: ") for device in found["openvino_devices"])


def _fail_to_import(monkeypatch, wanted, error):
    real = importlib.import_module

    def import_module(name):
        if name == wanted:
            raise error
        return real(name)

    monkeypatch.setattr(module.importlib, "import_module", import_module)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "/home/ann/.venv/lib/libtorch_cpu.so: undefined symbol: iJIT_NotifyEvent",
            "OSError: libtorch_cpu.so: undefined symbol: iJIT_NotifyEvent",
        ),
        (
            '[WinError 126] Error loading "C:\\Users\\ann\\torch\\lib\\c10.dll" or one of its dependencies.',
            'OSError: [WinError 126] Error loading "c10.dll" or one of its dependencies.',
        ),
    ],
)
def test_a_torch_that_cannot_be_imported_is_told_without_folders(monkeypatch, message, told):
    _fail_to_import(monkeypatch, "torch", OSError(message))
    environment = describe_environment()
    assert environment["broken"] == {"torch": told}
    assert environment["torch"] == torch.__version__  # as its package says
    assert (environment["torch_threads"], environment["gpus"], environment["cuda"]) == (None, [], None)
    assert environment.keys() == {**environment}.keys() >= {"processor", "memory_gib", "numpy"}


def test_a_missing_torch_is_missing_and_not_broken(monkeypatch):
    _fail_to_import(monkeypatch, "torch", ModuleNotFoundError("No module named 'torch'", name="torch"))
    real = module.version
    monkeypatch.setattr(module, "version", lambda name: real("no-such-package" if name == "torch" else name))
    environment = describe_environment()
    assert environment["torch"] is None
    assert environment["broken"] == {}


def test_both_forms_of_the_block_have_the_same_keys(monkeypatch):
    whole = describe_environment()
    _fail_to_import(monkeypatch, "torch", OSError("no"))
    assert list(describe_environment()) == list(whole)


def test_a_gpu_that_will_not_work_is_told_and_stops_nobody(monkeypatch):
    def refuse(index):
        raise RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable\nmore lines")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", refuse)
    environment = describe_environment()
    assert environment["gpus"] == []
    assert environment["broken"]["cuda"].startswith("RuntimeError: CUDA error: all CUDA-capable devices are busy")


def test_the_nearest_folder_is_the_folder_or_the_first_above_it(tmp_path):
    assert nearest_folder(tmp_path) == tmp_path
    assert nearest_folder(tmp_path / "a" / "b") == tmp_path


def _write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(
    ("files", "cpus", "memory"),
    [
        ({}, None, None),
        (
            {
                "proc/self/cgroup": "0::/kubepods/pod\n",
                "sys/fs/cgroup/kubepods/pod/cpu.max": "150000 100000\n",
                "sys/fs/cgroup/kubepods/pod/memory.max": "max\n",
                "sys/fs/cgroup/kubepods/cpu.max": "max 100000\n",
                "sys/fs/cgroup/kubepods/memory.max": "4294967296\n",
            },
            1.5,
            4 * 2**30,
        ),
        (  # in a container the mount itself is the group
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            2.0,
            None,
        ),
        ({"proc/self/cgroup": "5:cpu:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n"}, None, None),
    ],
)
def test_what_control_groups_grant(tmp_path, files, cpus, memory):
    _write(tmp_path, files)
    assert cpu_quota(tmp_path) == cpus
    assert memory_limit(tmp_path, {}) == memory


@pytest.mark.parametrize(
    ("environ", "gib"),
    [
        ({"SLURM_MEM_PER_NODE": "2048"}, 2),
        ({"SLURM_MEM_PER_NODE": "0"}, None),  # all of the node
        ({"SLURM_MEM_PER_NODE": ""}, None),
        ({"SLURM_MEM_PER_CPU": "2048", "SLURM_CPUS_ON_NODE": "3"}, 6),
        ({"SLURM_MEM_PER_CPU": "2048"}, None),
        ({"SLURM_MEM_PER_GPU": "4096", "SLURM_GPUS_ON_NODE": "2"}, 8),
        ({"SLURM_MEM_PER_NODE": "8192", "SLURM_MEM_PER_CPU": "1024", "SLURM_CPUS_ON_NODE": "4"}, 4),  # the step's
    ],
)
def test_what_slurm_grants(tmp_path, environ, gib):
    assert memory_limit(tmp_path, environ) == (gib and gib * 2**30)


class _Library:
    """NVML as ctypes sees it: numbers come back through pointers."""

    def __init__(self, init=0):
        self.init, self.is_open = init, False

    def nvmlInit_v2(self):  # noqa: N802 # NVML's own names
        self.is_open = self.init == 0
        return self.init

    def nvmlShutdown(self):  # noqa: N802
        self.is_open = False

    def nvmlSystemGetCudaDriverVersion_v2(self, pointer):  # noqa: N802
        pointer._obj.value = 12080
        return 0

    def nvmlSystemGetDriverVersion(self, buffer, size):  # noqa: N802
        buffer.value = b"570.86.15"
        return 0

    def nvmlDeviceGetCount_v2(self, pointer):  # noqa: N802
        pointer._obj.value = 2
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index, pointer):  # noqa: N802
        pointer._obj.value = index.value + 1
        return 0 if index.value else 4  # the first is not this container's

    def nvmlDeviceGetName(self, handle, buffer, size):  # noqa: N802
        assert isinstance(handle, ctypes.c_void_p)
        buffer.value = f"NVIDIA H{handle.value}00".encode()
        return 0


def test_the_driver_tells_its_version_its_cuda_and_its_gpus(monkeypatch):
    library = _Library()
    monkeypatch.setattr(nvidia, "_load", lambda: library)
    assert ask_driver() == Driver("570.86.15", (12, 8), ("NVIDIA H200",))
    assert not library.is_open


@pytest.mark.parametrize("library", [None, _Library(init=9)])
def test_without_its_library_the_driver_is_known_by_its_module(monkeypatch, tmp_path, library):
    monkeypatch.setattr(nvidia, "_load", lambda: library)
    monkeypatch.setattr(nvidia, "_VERSION", tmp_path / "version")
    assert ask_driver() is None
    (tmp_path / "version").write_text("535.129.03\n")
    assert ask_driver() == Driver("535.129.03", None, ())
