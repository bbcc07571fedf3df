"""Every run can tell its configuration, and takes it back."""

from __future__ import annotations

import tomllib

import pytest
from typer.testing import CliRunner

from lesionctl.cli.main import app
from lesionctl.cli.terminal import Terminal
from lesionctl.errors import UsageError


def table(path, command):
    tables = tomllib.loads(path.read_text())
    assert set(tables) == {command}
    return tables[command]


@pytest.fixture
def quiet(lesionctl):
    def run(*words, code=0):
        done = lesionctl("--quiet", *words)
        assert done.returncode == code, done.stderr
        return done

    return run


def test_fetch_prepare_and_predict_do_the_same_again(quiet, tmp_path, model_file):
    quiet("--save-config", "f.toml", "fetch", "demo", "--to", "demo", "--count", "6", "--seed", "3")
    first = table(tmp_path / "f.toml", "fetch")
    assert (first["names"], first["to"], first["count"], first["connections"]) == (["demo"], "demo", 6, 4)
    quiet("--config", "f.toml", "--save-config", "f2.toml", "fetch")  # the set is there, and stands
    assert table(tmp_path / "f2.toml", "fetch") == first

    quiet("prepare", "demo", "--out", "a.store", "--size", "64", "--split", "40/30/30", "--json")
    first = table(tmp_path / "a.store" / "config.toml", "prepare")
    assert (first["sources"], first["size"], first["split"], first["seed"]) == (["demo"], 64, "40/30/30", 0)
    assert not {"out", "overwrite"} & set(first)
    quiet("--config", "a.store/config.toml", "prepare", "--out", "b.store")
    assert table(tmp_path / "b.store" / "config.toml", "prepare") == first
    assert (tmp_path / "b.store" / "samples.csv").read_text() == (tmp_path / "a.store" / "samples.csv").read_text()

    words = ("--model", model_file, "--overlay", "--batch-size", "2", "--device", "cpu")
    quiet("predict", "demo/images", "--out", "a", *words, "--csv", "a.csv", "--shard", "1/2")
    quiet("predict", "demo/images", "--out", "a", *words, "--csv", "a.csv", "--shard", "2/2")
    first = table(tmp_path / "a" / ".lesionctl" / "config.toml", "predict")
    assert (first["model"], first["overlay"], first["mask_format"]) == ([str(model_file)], True, "8-bit")
    assert not {"inputs", "out", "csv", "shard"} & set(first)  # the settings, for any pictures
    quiet("--config", "a/.lesionctl/config.toml", "predict", "demo/images", "--out", "b")
    assert table(tmp_path / "b" / ".lesionctl" / "config.toml", "predict") == first
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "b").iterdir())
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names[1:])

    quiet("--save-config", "p.toml", "predict", "demo/images", "--out", "c", *words)
    whole = table(tmp_path / "p.toml", "predict")
    assert (whole["inputs"], whole["out"]) == (["demo/images"], "c")
    quiet("--config", "p.toml", "--save-config", "p2.toml", "predict")  # all is there: nothing to do
    assert table(tmp_path / "p2.toml", "predict") == whole


def test_eval_does_the_same_again(quiet, tmp_path, model_file, store_path):
    words = ("eval", model_file, store_path, "--split", "val", "--resamples", "0", "--device", "cpu", "--seen", "mark")
    quiet("--save-config", "e.toml", *words, "--json")
    first = table(tmp_path / "e.toml", "eval")
    assert (first["models_and_store"], first["split"]) == ([str(model_file), str(store_path)], "val")
    again = quiet("--config", "e.toml", "--save-config", "e2.toml", "eval")
    assert table(tmp_path / "e2.toml", "eval") == first
    assert again.stdout.startswith("{")


@pytest.mark.parametrize(
    "words",
    [
        ("--epochs", "3", "--lr", "0.01"),
        ("--arch", "classic", "--widths", "8,16", "--folds", "3"),
        ("--encoder", "resnet18", "--encoder-weights", "none", "--batch-size", "auto", "--schedule", "onecycle"),
    ],
)
def test_train_does_the_same_again(words, store_path, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("lesionctl.train.loop.train", lambda *given: seen.append((given[0], given[2], 0)))
    monkeypatch.setattr(
        "lesionctl.train.folds.train_folds", lambda *given, folds: seen.append((given[0], given[2], folds))
    )
    for config in (("--save-config", "t.toml"), ("--config", "t.toml", "--save-config", "t2.toml")):
        monkeypatch.chdir(tmp_path)
        typed = [str(store_path), *words] if len(config) == 2 else []
        result = CliRunner().invoke(app, [*config, "train", *typed, "--out", "run"], obj=Terminal())
        assert result.exit_code == 0, result.exception
    first, second = seen
    assert first == second
    assert (tmp_path / "t.toml").read_text() == (tmp_path / "t2.toml").read_text()


@pytest.mark.parametrize(
    ("command", "run", "words", "told"),
    [
        ("export", "lesionctl.export.export.export_model", ("--to", "torch"), {"to": "torch", "precision": "fp32"}),
        (
            "bench",
            "lesionctl.bench.bench.bench",
            ("--what", "network", "--batch-size", "1", "--batch-size", "4"),
            {"model": ["lesion-s"], "what": ["network"], "batch_size": [1, 4]},
        ),
    ],
)
def test_export_and_bench_do_the_same_again(command, run, words, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []

    def stop(*given, **_):
        seen.append(given[:2])
        raise UsageError("enough is known")

    monkeypatch.setattr(run, stop)
    for config, typed in (("--save-config=1.toml", words), ("--config=1.toml --save-config=2.toml", ())):
        result = CliRunner().invoke(app, [*config.split(), command, *typed], obj=Terminal())
        assert isinstance(result.exception, UsageError), result.exception
    first, second = seen
    assert first == second
    assert table(tmp_path / "1.toml", command) == table(tmp_path / "2.toml", command)
    assert told.items() <= table(tmp_path / "1.toml", command).items()


def test_a_configuration_that_cannot_be_written_is_an_error(lesionctl):
    done = lesionctl("--save-config", "no/such/folder/c.toml", "fetch", "--list")
    assert done.returncode == 1
    assert done.stderr.startswith("error: no/such/folder/c.toml cannot be written (No such file")
