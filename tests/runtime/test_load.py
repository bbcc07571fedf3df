"""A model by path, by run directory or by the name of one that comes with the program."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from lesionctl.errors import BadFile, UsageError
from lesionctl.runtime import load
from lesionctl.runtime.load import bundled_models, find_model, load_segmenter
from lesionctl.runtime.precision import Precision


@pytest.fixture
def bundled(tmp_path, model_file, monkeypatch):
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("lesion-s", "lesion-m"):
        shutil.copy(model_file, folder / f"{name}.safetensors")
    (folder / "lesion-s.md").touch()
    monkeypatch.setattr(load, "BUNDLED_MODELS", folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_model_is_found_by_path_run_directory_and_name(bundled, model_file, run_dir):
    assert find_model(str(model_file)) == model_file
    assert find_model(str(run_dir)) == run_dir / "model.safetensors"
    assert find_model("lesion-s") == bundled / "lesion-s.safetensors"
    assert bundled_models() == ["lesion-m", "lesion-s"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("lesion-l", "did you mean 'lesion-"),
        ("unet", "give a model file, a run directory, or one of: lesion-m, lesion-s"),
        ("../models/lesion-s", "give a model file|did you mean"),  # a bundled name is a name, not a path
    ],
)
def test_unknown_model_is_a_usage_error_with_a_hint(bundled, name, hint):
    with pytest.raises(UsageError, match=f"there is no model '{re.escape(name)}'") as caught:
        find_model(name)
    assert re.match(hint, caught.value.hint)


def test_folder_without_a_model_is_a_usage_error(bundled, tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(UsageError, match="there is no model 'run'"):
        find_model("run")


def test_found_model_runs(model_file, tiny_spec):
    segmenter = load_segmenter(str(model_file), "cpu", Precision.FP32)
    assert segmenter.spec == tiny_spec
    assert segmenter.backend == "torch fp32 cpu"
    assert segmenter.segment([np.zeros((10, 20, 3), np.uint8)]).shape == (1, 64, 64)


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx"])
def test_damaged_model_is_a_bad_file(tmp_path, suffix):
    if suffix == ".onnx":
        pytest.importorskip("onnxruntime")
    path = tmp_path / f"m{suffix}"
    path.write_bytes(b"junk" * 100)
    with pytest.raises(BadFile) as caught:
        load_segmenter(str(path), "cpu")
    assert caught.value.path == path
