"""What a person types after `lesionctl train`, before any training begins."""

from __future__ import annotations

import shutil
import tomllib

import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

from lesionctl.cli.main import app
from lesionctl.cli.terminal import Terminal
from lesionctl.errors import UsageError
from lesionctl.paths import BUNDLED_MODELS
from lesionctl.train.record.config import write_config

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
        (("--out", "run", "--teacher", "no-such"), "there is no model 'no-such'"),
        (("--out", "run", "--teacher-share", "0.5"), "--teacher-share does nothing without --teacher"),
        (("--out", "run", "--teacher", "lesion-s", "--teacher-share", "0"), "--teacher-share cannot be 0"),
        (("--out", "run", "--teacher", "lesion-s", "--epochs", "0"), "--teacher does nothing with --epochs 0"),
        (("--out", "run", "--source-weight", "ham10000"), "--source-weight 'ham10000' is not of the form"),
        (("--out", "run", "--source-weight", "a=1", "--source-weight", "a=2"), "--source-weight names 'a' twice"),
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


@pytest.fixture
def options_of(monkeypatch):
    """A function that gives the options of a run as they were typed, and what was said before it began."""

    def run(*words, config=()):
        seen = []
        monkeypatch.setattr("lesionctl.train.loop.train", lambda *given: seen.append(given[2]))
        result = CliRunner().invoke(app, [*map(str, config), "train", *map(str, words)], obj=Terminal())
        assert result.exit_code == 0, result.exception
        return seen[0], result.stderr

    return run


def test_teachers_are_files_runs_folds_and_bundled_models(options_of, model_file, tmp_path):
    for place in ("run", "cv/fold-0", "cv/fold-1"):
        (tmp_path / place).mkdir(parents=True)
        shutil.copy(model_file, tmp_path / place / "model.safetensors")
    names = (model_file, tmp_path / "run", tmp_path / "cv", "lesion-s")
    typed = [word for name in names for word in ("--teacher", name)]
    options, said = options_of("any.store", "--out", tmp_path / "out", *typed, "--teacher-share", "0.25")
    assert options.teacher == (
        str(model_file),
        *(str(tmp_path / place / "model.safetensors") for place in ("run", "cv/fold-0", "cv/fold-1")),
        str((BUNDLED_MODELS / "lesion-s.safetensors").resolve()),
    )
    assert options.teacher_share == 0.25
    assert "taught by " in said
    assert "with a share of 0.25" in said


def test_a_teacher_may_be_allowed_to_have_seen_the_validation_of_a_network_of_ones_own(options_of, tmp_path):
    options, _ = options_of(
        "any.store", "--out", tmp_path / "out", "--encoder", "resnet18", "--teacher", "lesion-s", "--allow-seen"
    )
    assert (options.allow_seen, options.init) == (True, "")


def test_a_configuration_of_a_run_gives_teachers_and_weights_of_sources_back(options_of, model_file, tmp_path):
    typed = ("--teacher", model_file, "--source-weight", "ham10000=0.5", "--source-weight", "ph2=3")
    options, _ = options_of(tmp_path / "any.store", "--out", tmp_path / "out", "--encoder", "resnet18", *typed)
    assert options.source_weight == (("ham10000", 0.5), ("ph2", 3.0))
    write_config(tmp_path / "config.toml", tmp_path / "any.store", options, [])
    again, _ = options_of(
        tmp_path / "any.store", "--out", tmp_path / "out", config=("--config", tmp_path / "config.toml")
    )
    assert again == options
