"""A model by path, by run directory or by the name of one that comes with the program."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from lesionctl.errors import BadFile, GateError, UsageError
from lesionctl.runtime import load
from lesionctl.runtime.load import bundled_models, digest_of, find_model, find_models, load_segmenter
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


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx", ".pt2"])
def test_damaged_model_is_a_bad_file(tmp_path, suffix):
    if suffix == ".onnx":
        pytest.importorskip("onnxruntime")
    path = tmp_path / f"m{suffix}"
    path.write_bytes(b"junk" * 100)
    with pytest.raises(BadFile) as caught:
        load_segmenter(str(path), "cpu")
    assert caught.value.path == path


@pytest.fixture
def folds(model_file, tmp_path):
    """A folds directory with three models."""
    directory = tmp_path / "cross"
    for number in range(3):
        (directory / f"fold-{number}").mkdir(parents=True)
        shutil.copy(model_file, directory / f"fold-{number}" / "model.safetensors")
    return directory


def test_a_folds_directory_stands_for_its_models(folds, model_file):
    models = [folds / f"fold-{number}" / "model.safetensors" for number in range(3)]
    assert find_models([str(folds)]) == models
    assert find_models([str(model_file), str(folds), str(folds / "fold-1")]) == [model_file, *models, models[1]]


def test_folds_are_in_the_order_of_their_numbers(folds):
    for number in range(3, 11):
        shutil.copytree(folds / "fold-0", folds / f"fold-{number}")
    assert [path.parent.name for path in find_models([str(folds)])] == [f"fold-{number}" for number in range(11)]


@pytest.mark.parametrize("missing", ["fold-1", "fold-0", "fold-2/model.safetensors"])
def test_a_fold_that_is_missing_is_named(folds, missing):
    path = folds / missing
    path.unlink() if path.is_file() else shutil.rmtree(path)
    with pytest.raises(UsageError, match=rf"there is no .*{missing}"):
        find_models([str(folds)])


def test_where_one_model_is_needed_a_fold_has_to_be_named(folds):
    with pytest.raises(UsageError, match="holds the models of a cross-validation") as caught:
        find_model(str(folds))
    assert caught.value.hint == f"name one of them: {folds / 'fold-0'}"


def test_several_models_answer_as_one(folds, model_file, tiny_spec):
    picture = np.random.default_rng(0).integers(0, 256, (10, 20, 3), dtype=np.uint8)
    alone = load_segmenter(str(model_file), "cpu", Precision.FP32)
    for names in (str(folds), [str(model_file)] * 3):
        segmenter = load_segmenter(names, "cpu", Precision.FP32)
        assert (segmenter.spec.name, segmenter.backend) == ("tiny ×3", "torch fp32 cpu ×3")
        np.testing.assert_allclose(segmenter.segment([picture]), alone.segment([picture]), atol=1e-6)
    assert load_segmenter([str(model_file)], "cpu", Precision.FP32).spec == tiny_spec


def test_torch_and_onnx_answer_together(model_file, tiny_onnx):
    pytest.importorskip("onnxruntime")
    segmenter = load_segmenter([str(model_file), str(tiny_onnx)], "cpu", Precision.FP32)
    assert re.fullmatch(r"torch fp32 cpu \+ (onnxruntime|openvino) fp32 cpu", segmenter.backend)
    picture = np.random.default_rng(0).integers(0, 256, (10, 20, 3), dtype=np.uint8)
    alone = load_segmenter(str(model_file), "cpu", Precision.FP32).segment([picture])
    np.testing.assert_allclose(segmenter.segment([picture]), alone, atol=1e-4)


@pytest.mark.parametrize(("precision", "is_used"), [("fp32", True), ("fp16", True), ("int8", False)])
def test_an_exported_file_beside_its_model_is_used_but_not_in_int8(model_file, tiny_onnx, tmp_path, precision, is_used):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    model = onnx.load(tiny_onnx)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    facts |= {"lesionctl.source": digest_of(model_file), "lesionctl.precision": precision}
    onnx.helper.set_model_props(model, facts)
    alone = shutil.copy(model_file, tmp_path / "tiny.safetensors")
    onnx.save(model, tmp_path / "tiny.onnx")
    segmenter = load_segmenter(str(alone), "cpu", Precision.FP32, pictures=1)
    assert (segmenter.backend != "torch fp32 cpu") is is_used


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_program_of_torch_is_for_torch(tmp_path, backend):
    (tmp_path / "m.pt2").touch()
    with pytest.raises(UsageError, match=f"is a program of torch, {backend} cannot run it"):
        load_segmenter(str(tmp_path / "m.pt2"), "cpu", backend=backend)


def test_a_wrong_conversion_is_never_used_and_not_kept(model_file, tiny_onnx, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    model = onnx.load(tiny_onnx)
    (bias,) = (tensor for tensor in model.graph.initializer if tensor.name.endswith("head.bias"))
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + 1, bias.name))
    monkeypatch.setenv("LESIONCTL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("lesionctl.runtime.to_onnx.to_onnx", lambda *_, **__: model.SerializeToString())
    alone = shutil.copy(model_file, tmp_path / "tiny.safetensors")
    with pytest.raises(GateError, match="as ONNX differs from the original") as caught:
        load_segmenter(str(alone), "cpu", backend="onnxruntime")
    assert caught.value.exit_code == 4
    assert not list((tmp_path / "cache").rglob("*.onnx"))
