"""What a person types after `lesionctl train`, before any training begins."""

from __future__ import annotations

import tomllib

import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

from lesionctl.cli.main import app
from lesionctl.cli.terminal import Terminal
from lesionctl.errors import UsageError

TINY_NET = ("--encoder", "mobilenetv3_small_050", "--encoder-weights", "none", "--decoder-channels", "32,24,16,16,8")


def type_train(*words):
    return CliRunner().invoke(app, ["train", *map(str, words)], obj=Terminal())


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ((), "--out is missing"),
        (("--out", "run", "--budget", "30m"), "--budget and --dry-run belong to --auto"),
        (("--dry-run",), "--budget and --dry-run belong to --auto"),
        (("--out", "run", "--init", "lesion-s", "--encoder", "resnet18"), "--init and a network of your own exclude"),
        (("--out", "run", "--init", "lesion-s", "--arch", "classic"), "--init and a network of your own exclude"),
        (("--out", "run", "--arch", "classic", "--encoder", "resnet18"), "the classic U-Net has no encoder to choose"),
        (("--out", "run", "--encoder-weights", "none"), "--encoder-weights needs --encoder"),
        (("--out", "run", "--allow-seen", "--encoder", "resnet18"), "--allow-seen is about a model to start from"),
        (("--out", "run", "--batch-size", "many"), "--batch-size cannot be 'many'"),
        (("--out", "run", "--batch-size", "0"), "--batch-size cannot be '0'"),
        (("--out", "run", "--widths", "32;64"), "--widths '32;64' is not of the form"),
        (("--out", "run", "--decoder-channels", "wide"), "--decoder-channels 'wide' is not of the form"),
        (("--out", "run", "--init", "no-such"), "there is no model 'no-such'"),
        (("--out", "run", "--auto", "--budget", "1h", "--epochs", "3"), "--budget and --epochs exclude each other"),
        (("--out", "run", "--widths", "8,16"), "--widths does nothing here: a model keeps its own network"),
        (
            ("--out", "run", "--encoder", "resnet18", "--output-stride", "8"),
            "--output-stride does nothing here: the U-Net",
        ),
        (("--out", "run", "--arch", "deeplabv3plus", "--decoder-stride", "1"), "--decoder-stride does nothing here"),
        (("--out", "run", "--arch", "classic", "--layer-decay", "0.8"), "--layer-decay does nothing here: the classic"),
        (("--out", "run", "--auto", "--budget", "soon"), "'soon' is no length of time"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_read(words, what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = type_train("no.store", *words)
    assert isinstance(result.exception, UsageError)
    assert result.exception.what.startswith(what)
    assert list(tmp_path.iterdir()) == []


def test_plan_is_printed_and_nothing_else_and_nothing_is_trained(store_path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ("--batch-size", "2", "--lr", "0.005", "--loss", "focal")
    result = type_train(store_path, "--auto", "--dry-run", *TINY_NET, *given)
    assert result.exit_code == 0, result.exception
    plan = tomllib.loads(result.stdout)["train"]
    assert (plan["lr"], plan["loss"], plan["batch_size"]) == (0.005, "focal", 2)
    assert plan["encoder"] == "mobilenetv3_small_050"
    lines = {line.split(" ")[0]: line for line in result.stdout.splitlines()}
    assert lines["lr"].endswith("# given")
    assert "training pictures" in lines["augment"]
    assert list(tmp_path.iterdir()) == []


def test_augmentations_are_painted_without_a_run(store_path, tmp_path):
    sheet = tmp_path / "sheet.png"
    result = type_train(store_path, "--augment", "strong", "--size", "64", "--show-augmentations", sheet)
    assert result.stdout == f"{sheet}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    assert Pillow.open(sheet).size[0] > 8 * 64


@pytest.mark.parametrize(
    ("words", "lr", "warmup", "init", "weights"),
    [
        ((), 2e-4, 0.05, "lesion-s.safetensors", "hub"),
        (("--lr", "0.01"), 0.01, 0.05, "lesion-s.safetensors", "hub"),
        (("--encoder", "resnet18"), 1e-3, 0.05, "", "hub"),
        (("--arch", "deeplabv3plus"), 1e-3, 0.05, "", "hub"),
        (("--arch", "classic"), 1e-3, 0.05, "", "none"),
        (("--schedule", "onecycle"), 2e-4, 0.3, "lesion-s.safetensors", "hub"),
        (("--schedule", "onecycle", "--warmup", "0.1"), 2e-4, 0.1, "lesion-s.safetensors", "hub"),
    ],
)
def test_defaults_that_depend_on_other_options(words, lr, warmup, init, weights, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("lesionctl.train.loop.train", lambda *given: seen.append(given[2]))
    result = type_train("any.store", "--out", tmp_path, *words)
    assert result.exit_code == 0, result.exception
    (options,) = seen
    assert (options.lr, options.warmup, options.encoder_weights) == (lr, warmup, weights)
    assert options.init.endswith(init)
    assert bool(options.init) is bool(init)
