"""A whole training on the CPU: what it leaves, when it stops, and that the seed decides it to the bit."""

from __future__ import annotations

import csv
import hashlib
import json
import tomllib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.torch
import torch

from lesionctl.dataset.exposure import Exposure, SeenCount
from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store, samples_digest
from lesionctl.errors import GateError, LesionctlError, UsageError
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.nets.encoders import input_statistics
from lesionctl.nets.model_file import load_model, read_model_spec
from lesionctl.nets.spec import UNetSpec
from lesionctl.prepare.prepare import PrepareOptions, prepare
from lesionctl.prepare.sources import FolderSource
from lesionctl.prepare.split import Shares
from lesionctl.progress import Silent
from lesionctl.runtime.device import choose_compute
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.torch_segmenter import TorchSegmenter
from lesionctl.scoring.overlap import FIGURES
from lesionctl.train import loop
from lesionctl.train.loop import train
from lesionctl.train.validate import score_rows


def read_metrics(run_dir):
    with (run_dir / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_run_directory_holds_these_files_and_no_parts(run_dir):
    names = {path.name for path in run_dir.iterdir()}
    assert names - {"curves.png"} == {
        "model.safetensors", "last.safetensors", "metrics.csv", "config.toml", "environment.json", "log.jsonl",
        "state.pt", "state.previous.pt",
    }  # fmt: skip


def test_metrics_have_a_row_for_each_epoch_under_these_names(run_dir):
    rows = read_metrics(run_dir)
    assert list(rows[0]) == [
        "epoch",
        "lr",
        "loss",
        "images_per_second",
        "waited",
        "memory_mb",
        *(f"val_{name}" for name in FIGURES),
    ]
    assert [row["epoch"] for row in rows] == ["1", "2"]
    # Six steps, 5 % of which round to none that rises; the last steps of the epochs are the third and the sixth.
    assert [float(row["lr"]) for row in rows] == pytest.approx([0.00075, 0.0000669873], rel=1e-5)
    assert all(0 <= float(row[f"val_{name}"]) <= 1 for row in rows for name in FIGURES)


def test_configuration_gives_the_options_back(run_dir, store_path, tiny_options):
    values = tomllib.loads((run_dir / "config.toml").read_text())["train"]
    resolved = tiny_options.resolved()
    for other in ("init", "allow_seen", "output_stride", "widths"):  # of other networks and other beginnings
        del resolved[other]
    assert values == {"store": str(store_path.resolve()), **resolved}


def test_model_says_what_it_is(finished_run, store_path, tiny_options):
    spec = read_model_spec(finished_run.model)
    seen = [sample for sample in open_store(store_path).samples if sample.split is not Split.TEST]
    assert spec.net == UNetSpec(tiny_options.encoder, tiny_options.decoder_channels, tiny_options.decoder_stride)
    assert (spec.mean, spec.std) == input_statistics(tiny_options.encoder)
    assert (spec.size, spec.name) == (64, "tiny")
    assert spec.training_digest == samples_digest(seen)
    assert spec.seen == Exposure.of(seen)
    assert spec.threshold == finished_run.threshold
    assert spec.postprocess == finished_run.postprocess
    assert sorted(spec.scores.values()) == pytest.approx(sorted(finished_run.validation.values()))
    assert all("validation" in name and "per-image mean" in name and "64 px" in name for name in spec.scores)


def test_model_segments_as_well_as_the_result_says(finished_run, store_path):
    store = open_store(store_path)
    rows = store.rows(Split.VALIDATION)
    segmenter = TorchSegmenter(*load_model(finished_run.model), choose_compute("cpu", Precision.FP32))
    assert segmenter.segment([np.zeros((50, 70, 3), np.uint8)]).shape == (1, 64, 64)
    assert score_rows(segmenter, store, rows) == finished_run.validation


def test_best_epoch_is_the_one_with_the_highest_validation_dice(finished_run, run_dir):
    dices = [float(row["val_dice"]) for row in read_metrics(run_dir)]
    assert finished_run.epochs == 2
    assert finished_run.best_epoch == dices.index(max(dices)) + 1


def test_same_seed_same_weights_to_the_bit(finished_run, store_path, tiny_options, tmp_path, same_weights):
    torch.manual_seed(99)  # what was drawn before is of no account
    again = train(store_path, tmp_path / "again", tiny_options)
    other = train(store_path, tmp_path / "other", replace(tiny_options, seed=1))
    assert same_weights(finished_run.model, again.model)
    assert replace(again, model=finished_run.model) == finished_run
    assert not same_weights(finished_run.model, other.model)


def test_finished_run_is_not_trained_again(store_path, tiny_options, tmp_path):
    result = train(store_path, tmp_path, tiny_options)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".png"}

    class NoWork(Silent):
        def task(self, description, total=None):
            pytest.fail(f"{description} was begun")

    assert train(store_path, tmp_path, tiny_options, progress=NoWork()) == result
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".png"} == files


def test_training_learns(store_path, tiny_options, tmp_path):
    """Ten epochs on seven drawn pictures: the loss falls well below that of guessing, which is about 1.3."""
    train(store_path, tmp_path, replace(tiny_options, epochs=10, lr=5e-3, augment="none"))
    losses = [float(row["loss"]) for row in read_metrics(tmp_path)]
    assert losses[-1] < 0.8 * losses[0]
    assert losses[-1] < 1.1


@pytest.mark.parametrize(
    ("dices", "patience", "epochs", "best"),
    [
        ([0.5, 0.6, 0.6, 0.5, 0.9], 2, 4, 2),  # the third is as good, not better; two without a better one
        ([0.5, 0.4, 0.9, 0.8], 1, 2, 1),
        ([0.1, 0.2, 0.3], 1, 3, 3),  # the end
        ([0.0, 0.0, 0.0], 2, 3, 1),  # nothing is found at all: the first is the best
    ],
)
def test_training_stops_when_nothing_gets_better(
    store_path, tiny_options, tmp_path, monkeypatch, same_weights, dices, patience, epochs, best
):
    scores = iter(dices)
    real = loop.score_rows
    monkeypatch.setattr(loop, "score_rows", lambda *args: {**real(*args), "dice": next(scores, 0.0)})
    options = replace(tiny_options, epochs=len(dices), patience=patience, ema=0.0)
    result = train(store_path, tmp_path, options)
    assert (result.epochs, result.best_epoch) == (epochs, best)
    assert len(read_metrics(tmp_path)) == epochs
    assert same_weights(result.model, tmp_path / "last.safetensors") is (epochs == best)


def test_pictures_per_second_counts_those_that_were_shown(store_path, tiny_options, tmp_path, monkeypatch):
    clock = iter(range(1000))  # a second goes by with each step, and one with the end of the epoch
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    assert len(open_store(store_path).rows(Split.TRAIN)) == 7
    for batch_size, expected in ((2, 6 / 4), (100, 7 / 2)):
        out = tmp_path / str(batch_size)
        train(store_path, out, replace(tiny_options, batch_size=batch_size, epochs=1))
        assert float(read_metrics(out)[0]["images_per_second"]) == expected


def test_loss_that_is_no_number_stops_the_run(store_path, tiny_options, tmp_path):
    with pytest.raises(LesionctlError, match=r"the loss is (nan|inf) in epoch 1 at step") as caught:
        train(store_path, tmp_path, replace(tiny_options, lr=1e30, weight_decay=0.0))
    assert "--lr" in caught.value.hint
    assert not (tmp_path / "state.pt").exists()


def test_training_goes_on_from_a_model(store_path, tiny_options, tmp_path, model_file, tiny_spec):
    options = replace(tiny_options, init=str(model_file), lr=1e-12, epochs=1, encoder="of no account")
    result = train(store_path, tmp_path, options)
    spec = read_model_spec(result.model)
    assert (spec.net, spec.mean, spec.std) == (tiny_spec.net, tiny_spec.mean, tiny_spec.std)
    assert spec.ancestors == (tiny_spec.training_digest,)
    assert (result.seen, spec.seen.complete) == (None, False)  # it does not say what it has seen
    assert tiny_spec.licence in spec.licence
    assert not set(spec.scores) & set(tiny_spec.scores)
    before, after = safetensors.torch.load_file(model_file), safetensors.torch.load_file(result.model)
    weights = [name for name in before if name.endswith("weight")]
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in weights)


def test_validation_that_the_ancestor_has_seen_is_refused_or_marks_every_score(
    finished_run, other_split_path, tiny_options, tmp_path
):
    store, ancestor = open_store(other_split_path), read_model_spec(finished_run.model)
    validation = [sample for sample in store.samples if sample.split is Split.VALIDATION]
    seen = sum(ancestor.seen.has_seen(sample) for sample in validation)
    options = replace(tiny_options, init=str(finished_run.model), epochs=1)
    with pytest.raises(GateError, match=f"has seen {seen} of the {len(validation)} pictures of the validation split"):
        train(other_split_path, tmp_path / "run", options)
    assert not (tmp_path / "run").exists()

    result = train(other_split_path, tmp_path / "run", replace(options, allow_seen=True))
    assert result.seen == SeenCount(seen, len(validation), {"sha256": seen})
    assert result.remark == f"{seen} of {len(validation)} pictures seen by its ancestor"
    spec = read_model_spec(result.model)
    assert len(spec.scores) == len(FIGURES)
    assert all(name.endswith(f", 64 px ({result.remark})") for name in spec.scores)
    assert f"# validation: {result.remark}\n" in (tmp_path / "run" / "config.toml").read_text()
    assert spec.seen == ancestor.seen | Exposure.of(s for s in store.samples if s.split is not Split.TEST)


def test_a_fold_is_validated_on_and_is_part_of_what_the_run_is(folded_path, tiny_options, tmp_path):
    store, options = open_store(folded_path), replace(tiny_options, epochs=1, fold=1)
    result = train(folded_path, tmp_path, options)
    spec = read_model_spec(result.model)
    at_fold = [sample for sample in store.at_fold(1).samples if sample.split is not Split.TEST]
    assert spec.training_digest == samples_digest(at_fold)
    assert spec.seen == Exposure.of(at_fold)
    segmenter = TorchSegmenter(*load_model(result.model), choose_compute("cpu", Precision.FP32))
    assert score_rows(segmenter, store, store.at_fold(1).rows(Split.VALIDATION)) == result.validation
    with pytest.raises(UsageError, match="holds a run with another fold: 1, not 2"):
        train(folded_path, tmp_path, replace(options, fold=2))
    with pytest.raises(UsageError, match="has no fold 3"):
        train(folded_path, tmp_path / "other", replace(options, fold=3))


def test_a_run_tells_who_taught_it_and_how_often_it_showed_what(store_path, tiny_options, tmp_path, model_file):
    options = replace(
        tiny_options, epochs=1, teacher=(str(model_file),), teacher_share=0.75, source_weight=(("demo", 2.0),)
    )
    said = []

    class Listener(Silent):
        def say(self, message):
            said.append(message)

    result = train(store_path, tmp_path, options, progress=Listener())
    values = tomllib.loads((tmp_path / "config.toml").read_text())["train"]
    assert (values["teacher"], values["teacher_share"]) == ([str(model_file)], 0.75)
    assert (values["source_weight"], values["allow_seen"]) == (["demo=2.0"], False)
    assert said == ["an epoch shows 14 views: 14 of demo"]
    events = {event["event"]: event for event in map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines())}
    assert events["begin"]["views_per_epoch"] == {"demo": 14}
    told = [{"name": "tiny", "sha256": hashlib.sha256(model_file.read_bytes()).hexdigest()}]
    assert events["environment"]["teachers"] == told
    assert json.loads((tmp_path / "environment.json").read_text())["teachers"] == told
    spec, tiny = read_model_spec(result.model), read_model_spec(model_file)
    assert spec.ancestors == (tiny.training_digest,)
    assert not spec.seen.complete  # the teacher does not say what it has seen


@pytest.mark.parametrize(
    ("shares", "missing"), [(Shares(100, 0, 0), "val"), (Shares(80, 0, 20), "val")], ids=["all to train", "no val"]
)
def test_store_without_a_validation_split_is_refused(demo, tiny_options, tmp_path, shares, missing):
    store = prepare([FolderSource.at(demo)], tmp_path / "store", PrepareOptions(size=32, shares=shares)).store
    with pytest.raises(UsageError, match=f"has no {missing} split"):
        train(store, tmp_path / "run", tiny_options)
    assert not (tmp_path / "run").exists()


def test_padded_pictures_and_other_sizes_are_trained_on(demo, tiny_options, tmp_path):
    options = PrepareOptions(size=48, resize=ResizeRule.PAD)
    store = prepare([FolderSource.at(demo)], tmp_path / "store", options).store
    result = train(store, tmp_path / "run", replace(tiny_options, epochs=1, precision=Precision.BF16))
    spec = read_model_spec(result.model)
    assert (spec.resize, spec.size) == (ResizeRule.PAD, 64)


def test_no_epoch_at_all_chooses_the_decision_anew_and_leaves_the_weights(
    store_path, tiny_options, tmp_path, model_file, tiny_spec, same_weights
):
    options = replace(tiny_options, init=str(model_file), epochs=0)
    result = train(store_path, tmp_path / "run", options)
    assert same_weights(result.model, model_file)
    assert (result.epochs, result.best_epoch) == (0, 0)
    spec = read_model_spec(result.model)
    assert (spec.threshold, spec.postprocess) == (result.threshold, result.postprocess)
    assert spec.familiar is not None
    assert spec.confidence_limit is not None
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["config.toml", "model.safetensors"]
    assert train(store_path, tmp_path / "run", options).threshold == result.threshold
    with pytest.raises(UsageError, match="--epochs cannot be 0"):
        replace(tiny_options, epochs=0)
