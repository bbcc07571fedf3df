"""From nothing to figures with the real program: fetch, prepare, train, eval, export, predict, bench."""

from __future__ import annotations

import csv
import json

import pytest

TINY_NET = ("--encoder", "mobilenetv3_small_050", "--encoder-weights", "none", "--size", "64", "--batch-size", "4")


@pytest.fixture
def lesionctl(fresh_lesionctl):
    """Here each command loads all it needs, and nothing else, as it does for a person."""
    return fresh_lesionctl


def test_whole_way_without_a_network(lesionctl, tmp_path):
    assert lesionctl("--offline", "fetch", "demo", "--to", "demo", "--count", "12").returncode == 0

    prepared = lesionctl("prepare", "demo", "--out", "demo.store", "--size", "64", "--json")
    assert json.loads(prepared.stdout)["pairs"] == 12
    assert json.loads(prepared.stdout)["left_out"] == []

    trained = lesionctl("train", "demo.store", "--out", "run", *TINY_NET, "--epochs", "2", "--device", "cpu")
    assert (trained.returncode, trained.stdout) == (0, "run/model.safetensors\n")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "config.toml", "curves.png", "environment.json", "last.safetensors", "log.jsonl", "metrics.csv",
        "model.safetensors", "state.pt", "state.previous.pt",
    }  # fmt: skip

    again = lesionctl("--config", "run/config.toml", "train", "--out", "run", "demo.store")
    assert again.returncode == 0  # the run's own record gives the same run, which has nothing left to do

    evaluated = lesionctl("eval", "run", "demo.store", "--split", "train", "--json", "--csv", "scores.csv")
    result = json.loads(evaluated.stdout)
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert result["n"] == len(rows) == json.loads(prepared.stdout)["splits"]["train"]
    mean = sum(float(row["dice"]) for row in rows) / len(rows)
    assert result["evaluations"][0]["per_image"]["dice"]["mean"] == pytest.approx(mean, abs=1e-6)
    assert 0 <= result["evaluations"][0]["probabilities"]["roc_auc"]["value"] <= 1

    exported = lesionctl("export", "run", "--to", "onnx", "--out", "run.onnx", "--json")
    assert json.loads(exported.stdout)["largest_difference"] < 1e-3

    for model, out in (("run", "by_torch"), ("run.onnx", "by_onnx")):
        done = lesionctl("predict", "demo/images", "--out", out, "--model", model, "--precision", "fp32")
        assert len(done.stdout.splitlines()) == 12
    agreement = lesionctl("eval", "--pred", "by_torch", "--truth", "by_onnx", "--json")
    assert json.loads(agreement.stdout)["evaluations"][0]["per_image"]["dice"]["mean"] > 0.999

    words = ("bench", "--model", "run", "--what", "predict", "--images", "demo/images", "--repeats", "1", "--json")
    cases = json.loads(lesionctl(*words).stdout)["cases"]
    assert [case["case"]["what"] for case in cases] == ["predict each", "predict all"]
    assert all(case["figures"]["images_per_second"] > 0 for case in cases)
