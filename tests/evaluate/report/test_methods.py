"""The methods say what the record says, and nothing else."""

from __future__ import annotations

import json
import math
import shutil

import pytest

from lesionctl.errors import BadFile
from lesionctl.evaluate.report.run import Run, read_run
from lesionctl.evaluate.report.sources import citations_of_encoder, citations_of_source
from lesionctl.evaluate.report.training import training_sentences


def sentences(section):
    return {block.title: " ".join(words.text for words in block.sentences) for block in section.blocks}


def methods(document):
    return sentences(next(section for section in document.sections if section.id == "methods"))


def run_of(history=(), environment=None, **options):
    return Run(None, options, environment or {}, list(history))


def test_a_model_with_its_run_is_told_whole(real, document_of):
    told = methods(document_of(*real))
    data, model = told["Data"], told["Model tiny"]
    assert "Scored were 3 pictures in 2 groups" in data
    assert "holds 12 pictures: 7 for training, 2 for validation and 3 for test" in data
    assert "the seed of the split is 0" in data
    assert "No group of pictures (of a lesion, a patient or a file) stands in two splits." in data
    assert "tiny is a U-Net with decoder widths 32, 24, 16, 16, 8 to stride 2" in model
    assert "timm's mobilenetv3_small_050" in model
    assert "squashed to 64 × 64 pixels" in model
    assert "It began with random weights." in model
    assert "It was trained for 2 epochs in batches of 2 at 64 pixels with seed 0." in model
    assert "the sum of binary cross-entropy and soft Dice loss" in model
    assert (
        "AdamW with a learning rate of 0.001, a weight decay of 0.01 and the norm of the gradient clipped at 1" in model
    )
    assert "The rate rose for 5 % of the steps and then fell in half a cosine to zero" in model
    assert "augmented by the recipe 'standard'" in model
    assert "It computed in fp32 on" in model
    assert "the threshold with the highest mean Jaccard was chosen, then the post-processing at that" in model
    assert "No intervals were computed: 2 groups are too few groups for an interval" in told["Statistics"]
    assert "for all 16 differences together" in told["Statistics"]
    assert "tiny was trained with lesionctl" in told["Software"]


def test_of_masks_nothing_is_told_but_how_they_were_scored(by_hand, document_of):
    told = methods(document_of(*by_hand({"a": [0, 1]})))
    assert list(told) == ["Data", "Scoring", "Statistics", "Software"]
    assert told["Data"] == "Scored were 2 pictures in 2 groups, from isic2018"
    assert told["Statistics"] == "No intervals were computed."
    assert "calibration" not in told["Scoring"]
    assert "Normalised surface Dice is at tolerances of 5 px," in told["Scoring"]
    assert "trained" not in told["Software"]


def test_intervals_are_told_with_their_resamples(by_hand, document_of):
    told = methods(document_of(*by_hand({"a": [0, 1] * 5}, resamples=200)))["Statistics"]
    assert told.startswith(
        "Intervals are 95 % percentile intervals of 200 bootstrap resamples, drawn by group (seed 3)"
    )
    assert "probabilities" not in told


def test_a_model_without_its_run_is_told_without_its_training(two_models, document_of):
    told = methods(document_of(*two_models))
    assert "trained for" in told["Model one"]
    assert "above 0.4; post-processing: none." in told["Model two"]
    for word in ("trained", "AdamW", "loss", "augmented", "chosen"):
        assert word not in told["Model two"]


def test_what_is_not_recorded_is_not_told():
    assert training_sentences(run_of()) == []
    (only,) = training_sentences(run_of(loss="focal"))
    assert (only.text, only.cites) == ("It minimised the focal loss", ("lin2017",))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"init": "lesion-s"}, "It was trained from the weights of the model lesion-s."),
        ({"encoder_weights": "hub"}, "Its encoder began with the weights of timm's hub."),
        (
            {"epochs": 40, "batch_size": "auto", "size": 256, "accumulate": 4},
            "It was trained for 2 epochs of at most 40 in the largest batches that fit, 4 of them to a step, "
            "at 256 pixels.",
        ),
        ({"loss": "bce-dice", "label_smoothing": 0.1}, "loss, with a label smoothing of 0.1"),
        ({"lr": 1e-3, "weight_decay": 0.0, "layer_decay": 0.8}, "learned at 0.8 times the next's rate"),
        ({"schedule": "onecycle", "warmup": 0.05}, "The rate followed the one-cycle policy"),
        ({"schedule": "plateau", "warmup": 0.0}, "The rate was halved whenever 3 epochs brought no better"),
        ({"augment": "none"}, "Pictures were not augmented."),
    ],
)
def test_each_option_has_its_words(options, expected):
    history = [{"epoch": 1.0, "val_dice": math.nan}, {"epoch": 2.0, "val_dice": math.nan}]
    assert expected in " ".join(words.text for words in training_sentences(run_of(history, **options)))


def test_the_machine_is_the_gpu_where_there_was_one():
    environment = {"precision": "bf16", "device": "cuda:0", "gpus": ["NVIDIA H200"], "processor": "EPYC"}
    told = training_sentences(run_of(environment=environment, loss="lovasz"))
    assert told[-1].text == "It computed in bf16 on NVIDIA H200."


def test_sources_and_encoders_are_cited_where_their_name_tells_them():
    assert citations_of_source("isic2018") == ("isic2018", "ham10000")
    assert citations_of_source("ISIC-2017-256") == ("isic2017",)
    assert citations_of_source("my own") == citations_of_source("ph2000") == ()
    assert citations_of_encoder("tf_efficientnet_lite0") == ("wightman2019", "tan2019")
    assert citations_of_encoder("tf_efficientnetv2_s") == ("wightman2019", "tan2021")
    assert citations_of_encoder("resnet34") == ("wightman2019", "he2016")
    assert citations_of_encoder("maxvit_tiny") == ("wightman2019",)


def test_a_run_is_read_from_its_directory(run_dir):
    run = read_run(run_dir)
    assert run.options["encoder"] == "mobilenetv3_small_050"
    assert run.environment["precision"] == "fp32"
    assert [row["epoch"] for row in run.history] == [1, 2]
    assert run.best["val_dice"] == max(row["val_dice"] for row in run.history)


def test_of_a_run_that_was_taken_apart_what_is_left_is_read(run_dir, tmp_path):
    shutil.copy(run_dir / "metrics.csv", tmp_path)
    run = read_run(tmp_path)
    assert (run.options, run.environment) == ({}, {})
    assert len(run.history) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.csv", "epoch,loss\n1,many\n"),
        ("metrics.csv", "loss\n1\n"),
        ("config.toml", "[train\n"),
        ("config.toml", "other = 1\n"),
        ("environment.json", json.dumps(5)),
    ],
)
def test_a_damaged_record_is_named(run_dir, tmp_path, name, content):
    for file in ("metrics.csv", "config.toml", "environment.json"):
        shutil.copy(run_dir / file, tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(BadFile) as raised:
        read_run(tmp_path)
    assert raised.value.path == tmp_path / name
