"""One object writes all of a run's files, and goes on with them when the run is resumed."""

from __future__ import annotations

import builtins
import json
import struct
import sys
import tomllib

import numpy as np
import pytest
import torch

from lesionctl.errors import MissingExtra
from lesionctl.runtime.device import Compute
from lesionctl.runtime.precision import Precision
from lesionctl.train.options import Loss, TrainOptions
from lesionctl.train.record.run_record import RunRecord

HISTORY = [
    {
        "epoch": n,
        "lr": 0.1 / n,
        "loss": 1 / n,
        "images_per_second": 50.0,
        "val_dice": 0.5,
        "val_jaccard": 0.4,
        "val_thresholded_jaccard": 0.25,
    }
    for n in (1, 2, 3)
]


def read_events(path):
    """The events of a file of TensorBoard's: length, its check, content, its check."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    content, events = path.read_bytes(), []
    while content:
        (length,) = struct.unpack_from("<Q", content)
        events.append(event_pb2.Event.FromString(content[12 : 12 + length]))
        content = content[16 + length :]
    return events


def scalars(events):
    return [(event.step, value.tag, value.simple_value) for event in events for value in event.summary.value]


def test_every_file_has_its_name(tmp_path):
    pytest.importorskip("matplotlib")
    record = RunRecord(tmp_path)
    record.config(tmp_path / "store", TrainOptions(loss=Loss.TVERSKY), [])
    record.environment(Compute(torch.device("cpu"), Precision.FP32), 2)
    record.event("begin", epoch=1)
    record.epoch(HISTORY)
    record.curves(HISTORY)
    mask = np.zeros((32, 32), bool)
    record.overlays(5, [(np.zeros((32, 32, 3), np.uint8), mask, mask, 1.0)])
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {
        "config.toml",
        "environment.json",
        "log.jsonl",
        "metrics.csv",
        "curves.png",
        "overlays/epoch-005.png",
    }
    assert tomllib.loads((tmp_path / "config.toml").read_text())["train"]["loss"] == "tversky"
    environment = json.loads((tmp_path / "environment.json").read_text())
    assert (environment["device"], environment["processes"]) == ("cpu", 2)


def test_log_keeps_the_environment_of_every_process(tmp_path):
    for processes in (1, 2):
        RunRecord(tmp_path).environment(Compute(torch.device("cpu"), Precision.FP32), processes)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(line["event"], line["processes"]) for line in lines] == [("environment", 1), ("environment", 2)]
    assert json.loads((tmp_path / "environment.json").read_text())["processes"] == 2


def test_tensorboard_gets_the_scalars_of_each_epoch_once(tmp_path):
    pytest.importorskip("tensorboardX")
    record = RunRecord(tmp_path, tensorboard=True)
    for epochs in (1, 2):
        record.epoch(HISTORY[:epochs])
    [file] = (tmp_path / "tensorboard").iterdir()
    events = read_events(file)
    assert events[0].file_version == "brain.Event:2"
    written = scalars(events)
    assert [step for step, _, _ in written] == [1] * 6 + [2] * 6
    assert written[6:] == [
        (2, "train/lr", pytest.approx(0.05)),
        (2, "train/loss", 0.5),
        (2, "train/images_per_second", 50.0),
        (2, "validation/dice", 0.5),
        (2, "validation/jaccard", pytest.approx(0.4)),
        (2, "validation/thresholded_jaccard", 0.25),
    ]


def test_epoch_that_is_trained_again_after_a_kill_voids_what_was_written_of_it(tmp_path):
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    record = RunRecord(tmp_path, tensorboard=True)
    for epochs in (1, 2):
        record.epoch(HISTORY[:epochs])
    resumed = RunRecord(tmp_path, tensorboard=True)
    for epochs in (2, 3):
        resumed.epoch(HISTORY[:epochs])
    _, second = sorted((tmp_path / "tensorboard").iterdir())
    events = read_events(second)
    starts = [event.step for event in events if event.session_log.status == event_pb2.SessionLog.START]
    assert starts == [2]  # readers drop every earlier event from this step on
    assert [step for step, _, _ in scalars(events)] == [2] * 6 + [3] * 6


def test_run_that_asks_for_tensorboard_late_gets_all_its_epochs(tmp_path):
    pytest.importorskip("tensorboardX")
    RunRecord(tmp_path, tensorboard=True).epoch(HISTORY)
    [file] = (tmp_path / "tensorboard").iterdir()
    assert [step for step, _, _ in scalars(read_events(file))] == [1] * 6 + [2] * 6 + [3] * 6


def test_tensorboard_that_is_not_installed_is_said_before_anything_is_trained(tmp_path, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("tensorboardX"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "lesionctl.train.record.tensorboard", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtra, match="--tensorboard needs the package 'tensorboardX'") as caught:
        RunRecord(tmp_path, tensorboard=True)
    assert caught.value.hint == "pip install 'lesionctl[tensorboard]'"
    RunRecord(tmp_path)  # without, nobody misses it
