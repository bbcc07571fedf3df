"""A training that was stopped and went on ends with the weights of one that never stopped."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import ExitCode, UsageError
from lesionctl.imaging.masks import encode_mask, read_mask
from lesionctl.nets.build import build_net
from lesionctl.nets.model_file import save_model
from lesionctl.prepare.prepare import PrepareOptions, prepare
from lesionctl.prepare.sources import FolderSource
from lesionctl.train import start
from lesionctl.train.loop import train
from lesionctl.train.options import Resume


def read_metrics(run_dir):
    with (run_dir / "metrics.csv").open(newline="") as file:
        return [
            {name: text for name, text in row.items() if name not in {"images_per_second", "waited", "memory_mb"}}
            for row in csv.DictReader(file)
        ]


def test_three_steps_are_an_epoch(store_path):
    """The steps below are counted on it."""
    assert len(open_store(store_path).rows(Split.TRAIN)) // 2 == 3


@pytest.mark.parametrize(
    ("steps", "epoch", "step"),
    [
        ([1], 1, 1),
        ([2], 1, 2),
        ([3], 1, 3),  # the last step of an epoch, before its validation
        ([4], 2, 1),
        ([6], 2, 3),  # the last step of all
        ([1, 1, 3], 2, 2),  # three times
    ],
    ids=str,
)
def test_stopped_run_goes_on_to_the_same_weights_to_the_bit(
    finished_run, run_dir, store_path, tiny_options, tmp_path, interrupt, same_weights, steps, epoch, step
):
    for number in steps:
        error = interrupt(store_path, tmp_path, tiny_options, number)
    assert error.exit_code is ExitCode.INTERRUPTED
    assert f"stopped by SIGTERM in epoch {epoch} after step {step}" in error.what
    result = train(store_path, tmp_path, tiny_options, Resume.MUST)
    assert same_weights(result.model, finished_run.model)
    assert same_weights(tmp_path / "last.safetensors", run_dir / "last.safetensors")
    assert replace(result, model=finished_run.model) == finished_run
    assert read_metrics(tmp_path) == read_metrics(run_dir)


@pytest.fixture
def taught(tiny_options, tiny_spec, tiny_net, model_file, tmp_path):
    """Options with two teachers, the second of another size, and weights that sources have."""
    other = tmp_path / "other.safetensors"
    save_model(other, replace(tiny_spec, size=32), tiny_net.state_dict())
    return replace(tiny_options, teacher=(str(model_file), str(other)), source_weight=(("demo", 0.5),), repeat=2)


def test_a_run_with_teachers_and_weighted_sources_goes_on_to_the_same_weights_to_the_bit(
    store_path, taught, tmp_path, interrupt, same_weights
):
    whole = train(store_path, tmp_path / "whole", taught)
    interrupt(store_path, tmp_path / "stopped", taught, 6)  # the second step of the second epoch
    stopped = train(store_path, tmp_path / "stopped", taught, Resume.MUST)
    assert same_weights(whole.model, stopped.model)
    assert same_weights(tmp_path / "whole" / "last.safetensors", tmp_path / "stopped" / "last.safetensors")


def test_other_teachers_and_weights_are_refused_by_name(store_path, taught, tiny_spec, tiny_net, tmp_path, interrupt):
    interrupt(store_path, tmp_path / "run", taught, 1)
    for change, named in (
        ({"teacher": ()}, r"teacher: \['.*'\], not None"),
        ({"teacher": taught.teacher[:1]}, r"teacher: \['\w{64}', '\w{64}'\], not \['\w{64}'\]"),
        ({"teacher_share": 0.25}, "teacher_share: 0.5, not 0.25"),
        ({"source_weight": ()}, r"source_weight: \['demo=0.5'\], not None"),
        ({"source_weight": (("demo", 1.0),)}, r"source_weight: \['demo=0.5'\], not \['demo=1.0'\]"),
    ):
        with pytest.raises(UsageError, match=f"holds a run with another {named}"):
            train(store_path, tmp_path / "run", replace(taught, **change))
    save_model(tmp_path / "other.safetensors", tiny_spec, tiny_net.state_dict())  # another one under the same name
    with pytest.raises(UsageError, match="holds a run with another teacher: "):
        train(store_path, tmp_path / "run", taught)


def test_going_on_is_said(store_path, tiny_options, tmp_path, interrupt, stop_after):
    interrupt(store_path, tmp_path, tiny_options, 4)
    listener = stop_after(0)
    train(store_path, tmp_path, tiny_options, progress=listener)
    assert listener.said == ["going on with epoch 2, step 2"]


def test_random_numbers_of_the_network_go_on_where_they_were(
    store_path, tiny_options, tmp_path, interrupt, same_weights, monkeypatch
):
    def build_with_dropout(*args):
        net = build_net(*args)
        net.head.register_forward_pre_hook(
            lambda module, inputs: (torch.nn.functional.dropout(inputs[0], 0.5, module.training),)
        )
        return net

    monkeypatch.setattr(start, "build_net", build_with_dropout)
    whole = train(store_path, tmp_path / "whole", tiny_options)
    interrupt(store_path, tmp_path / "stopped", tiny_options, 2)
    stopped = train(store_path, tmp_path / "stopped", tiny_options)
    assert same_weights(whole.model, stopped.model)


def test_stopped_run_leaves_a_state_and_no_model_of_an_unfinished_epoch(store_path, tiny_options, tmp_path, interrupt):
    interrupt(store_path, tmp_path, tiny_options, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "config.toml",
        "environment.json",
        "log.jsonl",
        "state.pt",
    ]


@pytest.mark.parametrize(("name", "value"), [("lr", 0.5), ("batch_size", 3), ("seed", 4), ("ema", 0.5)])
def test_other_options_are_refused_and_leave_the_run_as_it_was(
    store_path, tiny_options, tmp_path, interrupt, name, value
):
    interrupt(store_path, tmp_path, tiny_options, 1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(
        UsageError, match=f"holds a run with another {name}: {getattr(tiny_options, name)}, not {value}"
    ):
        train(store_path, tmp_path, replace(tiny_options, **{name: value}))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.fixture
def copied_demo(demo, tmp_path):
    shutil.copytree(demo, tmp_path / "demo")
    return tmp_path / "demo"


def another_split(demo):
    return {"seed": 1}


def other_masks(demo):
    for path in (demo / "masks").iterdir():
        path.write_bytes(encode_mask(np.roll(read_mask(path), 5, axis=0)))
    return {}


def another_size(demo):
    return {"size": 96}


@pytest.mark.parametrize("change", [another_split, other_masks, another_size])
def test_other_data_are_refused(copied_demo, tiny_options, tmp_path, interrupt, change):
    first = prepare([FolderSource.at(copied_demo)], tmp_path / "first", PrepareOptions(size=64)).store
    interrupt(first, tmp_path / "run", tiny_options, 1)
    options = PrepareOptions(**{"size": 64, **change(copied_demo)})
    second = prepare([FolderSource.at(copied_demo)], tmp_path / "second", options).store
    with pytest.raises(UsageError, match="holds a run with another data"):
        train(second, tmp_path / "run", tiny_options)


def test_same_data_at_another_place_are_taken(
    store_path, tiny_options, tmp_path, interrupt, finished_run, same_weights
):
    interrupt(store_path, tmp_path / "run", tiny_options, 2)
    shutil.copytree(store_path, tmp_path / "moved")
    result = train(tmp_path / "moved", tmp_path / "run", tiny_options)
    assert same_weights(result.model, finished_run.model)


def test_beginning_anew_is_refused_over_a_run_and_going_on_without_one(store_path, tiny_options, tmp_path, interrupt):
    with pytest.raises(UsageError, match="holds no state to go on from"):
        train(store_path, tmp_path, tiny_options, Resume.MUST)
    interrupt(store_path, tmp_path, tiny_options, 1)
    with pytest.raises(UsageError, match="holds a run already"):
        train(store_path, tmp_path, tiny_options, Resume.NEVER)
