"""A run tells what it was made on and by which command, and nothing about the person."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest
import torch

from lesionctl.runtime.device import Compute
from lesionctl.runtime.load import digest_of
from lesionctl.runtime.precision import Precision
from lesionctl.train.record.environment import describe_run


@pytest.fixture
def compute():
    return Compute(torch.device("cpu"), Precision.BF16)


def test_command_device_and_number_of_processes_are_there(compute, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["lesionctl", "train", "store", "--out", "run"])
    values = describe_run(compute, 2)
    assert values["command"] == ["lesionctl", "train", "store", "--out", "run"]
    assert (values["device"], values["precision"], values["processes"]) == ("cpu", "bf16", 2)
    assert values["torch"] == torch.__version__
    age = datetime.now(UTC) - datetime.fromisoformat(values["date"])
    assert 0 <= age.total_seconds() < 60


def test_teachers_are_told_by_name_and_digest_and_not_by_their_place(compute, model_file):
    values = describe_run(compute, 1, [str(model_file)])
    assert values["teachers"] == [{"name": "tiny", "sha256": digest_of(model_file)}]
    assert describe_run(compute, 1)["teachers"] == []


def test_variables_that_matter_are_told_and_those_that_name_a_person_are_not(compute, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.setenv("SLURM_JOB_USER", "ada-of-the-clinic")
    monkeypatch.setenv("SLURM_SUBMIT_HOST", "node-of-the-clinic")
    monkeypatch.setenv("LESIONCTL_DATA_DIR", "/home/ada-of-the-clinic")
    values = describe_run(compute, 1)
    told = {name: values["variables"][name] for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID")}
    assert told == {"OMP_NUM_THREADS": "3", "CUDA_VISIBLE_DEVICES": "1", "SLURM_JOB_ID": "77"}
    assert "LESIONCTL_DATA_DIR" in values["options_from_variables"]
    assert "of-the-clinic" not in str({**values, "command": []})
