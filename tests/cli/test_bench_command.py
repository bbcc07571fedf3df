from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lesionctl.paths import DEFAULT_MODEL


def children_of(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert true()


def test_json_and_csv_have_every_case_and_one_that_cannot_run_makes_exit_code_3(lesionctl, demo, tmp_path):
    done = lesionctl(
        "bench", "--model", DEFAULT_MODEL, "--what", "predict", "--images", demo / "images" / "DEMO_0000001.jpg",
        "--backend", "onnxruntime", "--precision", "fp32", "--precision", "bf16", "--repeats", "1",
        "--csv", "rows.csv", "--json",
    )  # fmt: skip
    assert done.returncode == 3
    assert "2 of 4 cases could not be measured" in done.stderr
    assert "onnxruntime computes in fp32, not in bf16" in done.stderr
    result = json.loads(done.stdout)
    assert result["schema"] == 1
    assert result["environment"]["cpus_available"] == 1
    assert result["pictures"]["count"] == 1
    ran, failed, *_ = result["cases"]
    assert ran["case"]["model"] == DEFAULT_MODEL
    assert (ran["runs_on"], ran["reason"], len(ran["turns"])) == ("onnxruntime fp32 cpu", "", 1)
    assert ran["figures"]["images_per_second"] > 0
    assert failed["turns"] == []
    rows = list(csv.DictReader((tmp_path / "rows.csv").open()))
    assert [row["precision"] for row in rows] == ["fp32", "bf16"] * 2
    assert float(rows[0]["images_per_second"]) == ran["figures"]["images_per_second"]


def test_a_size_is_that_of_what_is_measured_and_runs_on_torch(lesionctl, demo):
    done = lesionctl(
        "bench", "--what", "stages", "--images", demo / "images" / "DEMO_0000001.jpg", "--device", "cpu",
        "--precision", "fp32", "--size", "96", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (stages,) = json.loads(done.stdout)["stages"]
    assert (stages["case"]["size"], stages["backend"]) == (96, "torch fp32 cpu")


def test_a_device_that_is_not_there_is_a_usage_error(lesionctl, model_file):
    done = lesionctl("bench", "--model", model_file, "--what", "network", "--batch-size", "1", "--device", "cuda:77")
    assert done.returncode == 2
    assert "there is no device 'cuda:77'" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--plot", "p.png"), "--plot draws speed against Dice"),
        (("--all-backends", "--backend", "torch"), "--all-backends and --backend exclude each other"),
        (("--threads", "5000"), "--threads 5000 is more than the 1 processors"),
        (("--size", "384", "--size", "16"), "--size cannot be 16"),
        (("--model", "none"), "there is no model 'none'"),
        (("--what", "train", "--backend", "openvino"), "only torch trains"),
        (("--what", "train", "--store", "s"), "--store scores the network and predict"),
        (("--csv", "no/such/folder.csv"), "--csv no/such/folder.csv: no such file can be written"),
    ],
)
def test_what_makes_no_sense_is_said_at_once(lesionctl, words, reason):
    done = lesionctl("bench", *words)
    assert done.returncode == 2
    assert reason in done.stderr


def test_the_environment_is_told_where_torch_is_broken(lesionctl, tmp_path):
    (tmp_path / "broken" / "torch").mkdir(parents=True)
    (tmp_path / "broken" / "torch" / "__init__.py").write_text("raise ImportError('libtorch.so: wrong version')")
    done = lesionctl("bench", "--environment", PYTHONPATH=str(tmp_path / "broken"))
    assert done.returncode == 0
    assert "wrong: the package 'torch' is installed but cannot be imported" in done.stdout
    assert "libtorch.so: wrong version" in done.stdout


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_all_processes_at_once_and_leaves_no_file(name, model_file, tmp_path):
    words = ["bench", "--model", str(model_file), "--what", "network", "--device", "cpu", "--repeats", "100000"]
    (tmp_path / "scratch").mkdir()
    running = subprocess.Popen(
        [sys.executable, "-m", "lesionctl", *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "scratch")},
    )  # fmt: skip
    wait_until(lambda: children_of(running.pid))
    children = children_of(running.pid)
    running.send_signal(getattr(signal, name))
    assert running.wait(30) == -getattr(signal, name)  # it dies of it, which shells tell as 130 and 143
    wait_until(lambda: not any(map(is_alive, children)), 10)
    assert "Traceback" not in running.stderr.read()
    assert not list((tmp_path / "scratch").iterdir())
