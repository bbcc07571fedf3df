"""The batch files of the manual, run as they are by stand-ins of SLURM's commands."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from PIL import Image as Pillow

from lesionctl.nets.model_file import read_model_spec

NAMES = ("one-gpu", "one-node", "several-nodes", "predict-array", "requeue")
FILES = Path(__file__).parents[2] / "lesionctl" / "cli" / "documents" / "sbatch"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SLURM and its stand-ins need Linux")


@pytest.mark.parametrize("name", NAMES)
def test_batch_file_is_sound_and_short_and_says_what_to_change(name):
    file = FILES / f"{name}.sbatch"
    lines = file.read_text().splitlines()
    assert subprocess.run(["bash", "-n", file], capture_output=True, check=True).stderr == b""
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", file], check=True)
    assert len(lines) < 40
    assert max(map(len, lines)) <= 120
    assert lines[0] == "#!/bin/bash"
    assert "set -euo pipefail" in lines
    assert any(f"sbatch {name}.sbatch" in line for line in lines if line.startswith("#"))
    assert sum("# <-" in line for line in lines) >= 5


def test_there_are_no_other_batch_files():
    assert {path.stem for path in FILES.iterdir()} == set(NAMES)


def test_one_gpu_trains_on_the_staged_store_without_a_network_from_a_cache_that_is_only_read(
    cold_cluster, store_path, tmp_path
):
    run = tmp_path / "run"
    job = cold_cluster.submit("one-gpu", STORE=store_path, RUN=run)
    assert job.wait(120) == 0, logs(cold_cluster)
    assert epochs(run) == [1, 2]
    assert str(run / "model.safetensors") in logs(cold_cluster)
    assert "scratch-0" in (run / "config.toml").read_text()
    assert cold_cluster.scratch() == []
    assert_nothing_else_is_in_the_working_directory(cold_cluster)


def test_one_node_trains_one_model_with_a_process_for_each_gpu(cluster, store_path, tmp_path):
    run = tmp_path / "run"
    job = cluster.submit("one-node", "--ntasks-per-node=2", "--gpus-per-node=2", STORE=store_path, RUN=run)
    assert job.wait(120) == 0, logs(cluster)
    (step,) = ([task["variables"] for task in record["tasks"]] for record in cluster.jobs())
    assert [(task["SLURM_PROCID"], task["SLURM_LOCALID"], task["SLURM_CPUS_PER_TASK"]) for task in step] == [
        ("0", "0", "8"),
        ("1", "1", "8"),
    ]
    assert (processes(run), epochs(run)) == (2, [1, 2])
    assert logs(cluster).count(str(run / "model.safetensors")) == 1
    assert cluster.scratch() == []
    assert_nothing_else_is_in_the_working_directory(cluster)


def test_several_nodes_each_read_the_store_from_their_own_disk(cluster, store_path, tmp_path):
    run = tmp_path / "run"
    job = cluster.submit("several-nodes", "--ntasks-per-node=1", "--gpus-per-node=1", STORE=store_path, RUN=run)
    assert job.wait(120) == 0, logs(cluster)
    (record,) = cluster.jobs()
    commands = [(task["command"][0], task["variables"]["SLURM_NODEID"]) for task in record["tasks"]]
    assert commands == [(name, node) for name in ("mkdir", "cp", "lesionctl", "rm") for node in ("0", "1")]
    stores = [task["command"][3] for task in record["tasks"] if task["command"][0] == "lesionctl"]
    assert [Path(store).parents[1].name for store in stores] == ["scratch-0", "scratch-1"]
    assert (processes(run), epochs(run)) == (2, [1, 2])
    assert cluster.scratch() == []
    assert_nothing_else_is_in_the_working_directory(cluster)


@pytest.fixture
def pictures(demo, tmp_path):
    """Six pictures and one that cannot be read, and the list of them."""
    folder = tmp_path / "scans"
    folder.mkdir()
    good = [shutil.copy(path, folder) for path in sorted((demo / "images").iterdir())[:6]]
    bad = folder / "torn.jpg"
    bad.write_bytes(Path(good[0]).read_bytes()[:100])
    names = tmp_path / "scans.txt"
    names.write_text("".join(f"{path}\n" for path in [*good, bad]))
    return names, [Path(path) for path in good], bad


def test_array_writes_each_mask_once_and_a_bad_picture_does_not_fail_it(cluster, pictures, model_file, tmp_path):
    names, good, bad = pictures
    out = tmp_path / "masks"
    job = cluster.submit("predict-array", "--array=0-2", LIST=names, OUT=out, MODEL=model_file)
    assert job.wait(120) == 0, logs(cluster)
    shares = [rows(tmp_path / f"masks.{number}-of-3.csv") for number in (1, 2, 3)]
    assert sum(map(len, shares)) == len(set().union(*shares)) == 6
    assert set().union(*shares) == {str(path) for path in good}
    masks = sorted(out.rglob("*.png"))
    assert [path.name for path in masks] == [f"{path.stem}_segmentation.png" for path in good]
    assert {Pillow.open(path).mode for path in masks} == {"1"}
    assert logs(cluster).count("all others are done") == 1
    assert str(bad) in logs(cluster)
    assert_nothing_else_is_in_the_working_directory(cluster, logs=3)

    before = {path: path.stat().st_mtime_ns for path in masks}
    assert cluster.submit("predict-array", "--array=0-2", LIST=names, OUT=out, MODEL=model_file).wait(120) == 0
    assert {path: path.stat().st_mtime_ns for path in masks} == before


def test_array_fails_where_a_task_fails(cluster, pictures, tmp_path):
    names, _, _ = pictures
    job = cluster.submit("predict-array", "--array=0-0", LIST=names, OUT=tmp_path / "masks", MODEL="lesion-z")
    assert job.wait(120) == 2
    assert "there is no model 'lesion-z'" in logs(cluster)


@pytest.fixture
def whole(cluster, store_path, tmp_path):
    """A run of six epochs that nobody disturbs."""
    run = tmp_path / "whole"
    assert cluster.submit("requeue", STORE=store_path, RUN=run, LESIONCTL_TRAIN_EPOCHS="6").wait(120) == 0
    return run


def test_training_that_is_warned_goes_back_into_the_queue_and_ends_with_the_weights_of_one_that_was_not(
    cluster, store_path, whole, tmp_path, until
):
    run = tmp_path / "run"
    job = cluster.submit("requeue", STORE=store_path, RUN=run, LESIONCTL_TRAIN_EPOCHS="6")
    until(lambda: '"epoch": 2' in log_of(run), job)
    cluster.warn()
    assert job.wait(120) == 0, logs(cluster)
    assert [record["restarts"] for record in cluster.jobs()] == [0, 1]
    events = [json.loads(line)["event"] for line in log_of(run).splitlines()]
    assert (events.count("begin"), events.count("stop")) == (2, 1)
    assert "stopped by SIGUSR1 in epoch" in logs(cluster)
    assert epochs(run) == [1, 2, 3, 4, 5, 6]
    for name in ("model.safetensors", "last.safetensors"):
        ours, theirs = (safetensors.torch.load_file(folder / name) for folder in (run, whole))
        assert all(torch.equal(ours[tensor], theirs[tensor]) for tensor in theirs), name
    assert_nothing_else_is_in_the_working_directory(cluster, logs=2)


def test_training_that_is_warned_before_it_trains_goes_back_into_the_queue_too(cluster, store_path, tmp_path, until):
    run = tmp_path / "run"
    job = cluster.submit("requeue", STORE=store_path, RUN=run)
    until(cluster.has_started_the_program, job)
    cluster.warn()
    assert job.wait(120) == 0, logs(cluster)
    assert [record["restarts"] for record in cluster.jobs()] == [1]
    assert log_of(run).count('"begin"') == 1
    assert epochs(run) == [1, 2]


def test_training_whose_node_is_lost_before_the_first_state_begins_anew(cluster, store_path, tmp_path, until):
    run = tmp_path / "run"
    job = cluster.submit("requeue", STORE=store_path, RUN=run, LESIONCTL_TRAIN_REPEAT="10", LESIONCTL_TRAIN_EPOCHS="1")
    until(lambda: '"begin"' in log_of(run), job)
    cluster.lose_node()
    assert not list(run.glob("state*"))
    assert job.wait(120) == 0, logs(cluster)
    assert [record["restarts"] for record in cluster.jobs()] == [1]
    assert log_of(run).count('"begin"') == 2
    assert epochs(run) == [1]


def test_training_that_fails_is_not_put_back_into_the_queue(cluster, tmp_path):
    assert cluster.submit("requeue", STORE=tmp_path / "nothing", RUN=tmp_path / "run").wait(120) == 1
    assert [record["restarts"] for record in cluster.jobs()] == [0]


def assert_nothing_else_is_in_the_working_directory(cluster, logs=1):
    names = [path.name for path in cluster.home.iterdir()]
    assert len(names) == logs
    assert all(name.endswith(".log") for name in names)


def logs(cluster):
    return "".join(path.read_text() for path in sorted(cluster.home.glob("*.log")))


def log_of(run):
    return (run / "log.jsonl").read_text() if (run / "log.jsonl").is_file() else ""


def epochs(run):
    """The epochs of a finished run, which has left a model."""
    assert read_model_spec(run / "model.safetensors").scores
    with (run / "metrics.csv").open(newline="") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def processes(run):
    return json.loads((run / "environment.json").read_text())["processes"]


def rows(table):
    with table.open(newline="") as file:
        return {row["image"] for row in csv.DictReader(file)}
