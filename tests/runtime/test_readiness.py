"""What is found wrong on machines of every kind, each made up from what the environment would say there."""

from __future__ import annotations

import shutil
import sys
from typing import NamedTuple

import pytest

from lesionctl.progress import format_bytes
from lesionctl.runtime import readiness
from lesionctl.runtime.import_trial import try_imports
from lesionctl.runtime.readiness import (
    check_folders,
    check_gpu,
    check_offline,
    check_packages,
    check_processors,
    check_readiness,
    check_shared_memory,
    check_text,
)


class Usage(NamedTuple):
    """Bytes of a disk."""

    total: int
    used: int
    free: int


GOOD = {
    "torch": "2.9.0+cu128",
    "broken": {},
    "cuda": "12.8",
    "rocm": None,
    "gpus": ["NVIDIA H200"],
    "gpu_architectures": ["sm_90"],
    "torch_architectures": ["sm_80", "sm_90", "compute_90"],
    "nvidia_driver": "570.86.15",
    "nvidia_driver_cuda": "12.8",
    "nvidia_gpus": ["NVIDIA H200"],
    "cpus": 16,
    "cpus_available": 16,
    "cpu_quota": None,
    "omp_num_threads": None,
}
NO_GPU = {"gpus": [], "gpu_architectures": [], "torch_architectures": []}
NO_DRIVER = {"nvidia_driver": None, "nvidia_driver_cuda": None, "nvidia_gpus": []}


def _gpu(**changes):
    return list(check_gpu(GOOD | changes))


def test_a_machine_where_all_fits_has_no_findings_about_it():
    assert _gpu() == list(check_processors(GOOD)) == []
    assert _gpu(**NO_GPU, **NO_DRIVER, cuda=None, torch="2.9.0+cpu") == []


def test_a_cpu_build_of_torch_beside_a_gpu_is_wrong():
    (finding,) = _gpu(**NO_GPU, cuda=None, torch="2.9.0+cpu")
    assert finding.is_wrong
    assert finding.what.startswith("this machine has NVIDIA H200, and torch 2.9.0+cpu is built without CUDA")


def test_a_build_for_cuda_without_a_gpu_is_good_to_know():
    (finding,) = _gpu(**NO_GPU, **NO_DRIVER)
    assert not finding.is_wrong
    assert "--gres=gpu:1" in finding.hint


@pytest.mark.parametrize(
    ("driver", "built", "is_too_old"),
    [("11.4", "12.8", True), ("12.2", "12.8", False), ("12.8", "13.0", True), (None, "12.8", False)],
)
def test_a_driver_of_an_older_generation_than_torchs_cuda_is_too_old(monkeypatch, driver, built, is_too_old):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (finding,) = _gpu(**NO_GPU, nvidia_driver_cuda=driver, cuda=built)
    assert finding.is_wrong
    assert (f"runs CUDA {driver} at most" in finding.what) == is_too_old
    assert ("nvidia-smi" in finding.hint) != is_too_old


def test_hidden_gpus_are_told(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (finding,) = _gpu(**NO_GPU)
    assert finding.is_wrong
    assert "CUDA_VISIBLE_DEVICES is ''" in finding.what


@pytest.mark.parametrize(
    ("gpu", "architectures", "runs"),
    [
        ("sm_61", ["sm_75", "sm_80", "sm_90"], False),  # a GTX 1080 and a torch that has left it behind
        ("sm_120", ["sm_80", "sm_90"], False),  # an RTX 5090 and an older torch
        ("sm_120", ["sm_80", "compute_90"], True),  # translated by the driver
        ("sm_86", ["sm_80"], True),
        ("sm_80", ["sm_86"], False),
        ("sm_90", ["sm_90a"], True),
    ],
)
def test_a_gpu_for_which_torch_has_no_programs_is_wrong(gpu, architectures, runs):
    findings = _gpu(gpu_architectures=[gpu], torch_architectures=architectures)
    assert [finding.is_wrong for finding in findings] == ([] if runs else [True])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"omp_num_threads": "64", "cpus_available": 8}, [(True, "OMP_NUM_THREADS is 64")]),
        ({"omp_num_threads": "1"}, [(False, "OMP_NUM_THREADS is 1")]),
        ({"omp_num_threads": "16"}, []),
        ({"omp_num_threads": "4,2"}, []),
        ({"cpus_available": 1}, [(True, "this process was granted 1 of the machine's 16 processors")]),
        ({"cpus_available": 1, "cpus": 1}, []),
        ({"cpu_quota": 2.0}, [(True, "this container is granted the time of 2 processors")]),
        ({"cpu_quota": 16.0}, []),
    ],
)
def test_processors(changes, told):
    found = list(check_processors(GOOD | changes))
    assert [
        (finding.is_wrong, finding.what[: len(what)]) for finding, (_, what) in zip(found, told, strict=True)
    ] == told


def _room(monkeypatch, free):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2**40, 2**40 - free, free))


def test_folders_that_are_fine_are_not_spoken_of(monkeypatch, tmp_path):
    monkeypatch.setenv("LESIONCTL_CACHE_DIR", str(tmp_path / "not" / "there" / "yet"))
    _room(monkeypatch, 2**40)
    assert list(check_folders()) == []
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_a_cache_that_cannot_be_written_to_is_named_with_the_variable_that_moves_it(monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.write_text("a file where a folder should be")
    monkeypatch.setenv("LESIONCTL_CACHE_DIR", str(file))
    _room(monkeypatch, 2**40)
    finding = next(iter(check_folders()))
    assert finding.is_wrong
    assert finding.what.startswith(f"nothing can be written to the cache {file} (")
    assert "LESIONCTL_CACHE_DIR" in finding.hint


def test_full_disks_are_told(monkeypatch, tmp_path):
    monkeypatch.setenv("LESIONCTL_CACHE_DIR", str(tmp_path))
    _room(monkeypatch, 2**30)
    cache, temporary = check_folders()
    assert cache.what == f"{format_bytes(2**30)} are free on the disk of the cache {tmp_path}"
    assert temporary.is_wrong
    assert "TMPDIR" in temporary.hint


@pytest.mark.parametrize(("free", "gpus", "wrong"), [(2**26, 1, 1), (2**26, 0, 0), (2**33, 1, 0)])
def test_small_shared_memory_is_wrong_where_a_gpu_trains(monkeypatch, tmp_path, free, gpus, wrong):
    monkeypatch.setattr(readiness, "SHARED_MEMORY", tmp_path)
    _room(monkeypatch, free)
    assert len(list(check_shared_memory(GOOD if gpus else GOOD | NO_GPU | NO_DRIVER))) == wrong


def test_what_works_without_a_network(monkeypatch, tmp_path):
    monkeypatch.setenv("LESIONCTL_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    (finding,) = check_offline()
    assert (finding.is_wrong, "lesionctl fetch --encoder" in finding.hint) == (False, True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert [finding.is_wrong for finding in check_offline()] == [True]
    (tmp_path / "encoders").mkdir()
    (tmp_path / "encoders" / "resnet34.a1_in1k.safetensors").touch()
    (finding,) = check_offline()
    assert not finding.is_wrong
    assert finding.what.endswith("the weights of resnet34.a1_in1k")
    monkeypatch.setattr(readiness, "BUNDLED_MODELS", tmp_path)
    assert [finding.is_wrong for finding in check_offline()] == [True, True, False]


def test_an_encoding_that_lacks_letters_is_wrong(monkeypatch):
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "utf-8")
    monkeypatch.setattr(sys, "stdout", type("Stream", (), {"encoding": "UTF-8"}))
    assert list(check_text()) == []
    sys.stdout.encoding = "cp1252"
    assert [finding.what.split(":")[0] for finding in check_text()] == ["what is printed"]
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    assert len(list(check_text())) == 2


def test_packages_that_are_broken_or_missing_are_told(monkeypatch):
    monkeypatch.setattr(readiness, "_EXTRAS", {"plot": ("json",), "dicom": ("no_such_package",)})
    monkeypatch.setattr(readiness, "try_imports", lambda names: {"json": "libGL.so.1: cannot open"} if names else {})
    broken, missing = check_packages(GOOD)
    assert broken.is_wrong
    assert broken.what == "the package 'json' is installed but cannot be imported (libGL.so.1: cannot open)"
    assert missing.what == "not installed: the extras dicom"
    assert (missing.is_wrong, missing.hint) == (False, "pip install 'lesionctl[dicom]'")


def test_a_package_that_nothing_works_without_is_missed(monkeypatch):
    monkeypatch.setattr(readiness, "_EXTRAS", {})
    monkeypatch.setattr(readiness, "_NEEDED", ("json", "no_such_package"))
    monkeypatch.setattr(readiness, "try_imports", lambda names: dict.fromkeys(names, "") if names != ["json"] else {})
    (finding,) = check_packages(GOOD)
    assert finding.is_wrong
    assert finding.what == "the package 'no_such_package' is not installed, and nothing works without it"


def test_a_broken_torch_is_told_once(monkeypatch):
    tried = []
    monkeypatch.setattr(readiness, "_EXTRAS", {})
    monkeypatch.setattr(readiness, "try_imports", lambda names: tried.extend(names) or {})
    (finding,) = check_packages(GOOD | {"broken": {"torch": "OSError: libcudart.so.12", "cuda": "busy"}})
    assert finding.what == "the package 'torch' is installed but cannot be imported (OSError: libcudart.so.12)"
    assert not {"torch", "cv2", "timm"} & set(tried)


def test_what_is_wrong_comes_first(monkeypatch, tmp_path):
    monkeypatch.setattr(readiness, "try_imports", lambda _: {})
    monkeypatch.setenv("LESIONCTL_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(readiness, "SHARED_MEMORY", tmp_path / "none")
    _room(monkeypatch, 2**40)
    found = check_readiness(GOOD | {"omp_num_threads": "1", "cpu_quota": 2.0})
    assert [finding.is_wrong for finding in found][:2] == [True, False]
    assert found[0].to_dict() == {"what": found[0].what, "is_wrong": True, "hint": found[0].hint}


def test_imports_are_tried_each_whatever_became_of_the_others(monkeypatch, tmp_path):
    for name, program in {
        "raises_at_import": "print('lines of its own')\nraise OSError('libGL.so.1:\\n cannot open shared object file')",
        "kills_at_import": "import os, signal\nos.kill(os.getpid(), signal.SIGILL)",
        "exits_at_import": "import os\nos._exit(3)",
        "is_good": "",
    }.items():
        (tmp_path / f"{name}.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert try_imports(["json", "kills_at_import", "raises_at_import", "exits_at_import", "is_good"]) == {
        "kills_at_import": "importing it ends the process (SIGILL)",
        "raises_at_import": "libGL.so.1: cannot open shared object file",
        "exits_at_import": "importing it ends the process (exit code 3)",
    }


def test_an_import_that_never_ends_is_given_up(monkeypatch, tmp_path):
    (tmp_path / "waits_at_import.py").write_text("import time\ntime.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    wrong = try_imports(["waits_at_import"], seconds=1)
    assert wrong == {"waits_at_import": "importing it takes more than 1 seconds"}
