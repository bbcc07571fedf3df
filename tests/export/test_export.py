from __future__ import annotations

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch

from lesionctl.errors import GateError, UsageError
from lesionctl.export import export as module
from lesionctl.export.export import export_model
from lesionctl.export.formats import Format, Storage
from lesionctl.export.parity import Parity, Tolerance
from lesionctl.nets.model_spec import METADATA_KEY, ModelSpec
from lesionctl.runtime.load import digest_of, load_segmenter
from lesionctl.runtime.onnx_file import SOURCE_KEY
from lesionctl.runtime.precision import Precision


@pytest.fixture(scope="module")
def onnx_file(model_file, tmp_path_factory):
    target = tmp_path_factory.mktemp("export") / "tiny.onnx"
    parity = export_model(model_file, target, Format.ONNX, Storage.FP32, [])
    assert parity.pictures == 8
    assert parity.largest_difference < 1e-4
    return target


def test_onnx_takes_any_number_of_pictures_and_agrees_with_torch(onnx_file, model_file):
    torch_side = load_segmenter(str(model_file), "cpu", Precision.FP32)
    onnx_side = load_segmenter(str(onnx_file), "cpu", Precision.FP32)
    size = torch_side.spec.size
    for pictures in (1, 3):
        batch = np.random.default_rng(pictures).integers(0, 256, (pictures, size, size, 3), dtype=np.uint8)
        np.testing.assert_allclose(onnx_side.forward(batch), torch_side.forward(batch), atol=1e-4)


def test_onnx_carries_all_that_is_needed_to_use_it(onnx_file, model_file):
    model = onnx.load(onnx_file)
    onnx.checker.check_model(model, full_check=True)
    texts = {entry.key: entry.value for entry in model.metadata_props}
    assert ModelSpec.from_json(texts[METADATA_KEY]) == load_segmenter(str(model_file), "cpu").spec
    assert texts[SOURCE_KEY] == digest_of(model_file)
    image, probability = model.graph.input[0], model.graph.output[0]
    assert (image.name, image.type.tensor_type.elem_type) == ("image", onnx.TensorProto.UINT8)
    assert (probability.name, probability.type.tensor_type.elem_type) == ("probability", onnx.TensorProto.FLOAT)


def test_onnx_in_half_precision_is_smaller_and_computes_in_float32(model_file, onnx_file, tmp_path):
    parity = export_model(model_file, tmp_path / "half.onnx", Format.ONNX, Storage.FP16, [])
    assert parity.largest_difference <= 5e-3
    onnx.checker.check_model(onnx.load(tmp_path / "half.onnx"), full_check=True)
    tensors = onnx.load(tmp_path / "half.onnx").graph.initializer
    sizes = {
        half: [np.prod(t.dims) for t in tensors if (t.data_type == onnx.TensorProto.FLOAT16) is half]
        for half in (True, False)
    }
    assert min(sizes[True]) > 16_384 >= max(sizes[False])
    saved = onnx_file.stat().st_size - (tmp_path / "half.onnx").stat().st_size
    assert saved == pytest.approx(2 * sum(sizes[True]), abs=5_000)  # but for the nodes that turn them into float32
    assert load_segmenter(str(tmp_path / "half.onnx"), "cpu", Precision.FP32).backend.split()[1] == "fp32"


def test_half_precision_saves_two_bytes_for_each_weight_of_a_large_tensor(model_file, tmp_path):
    target = tmp_path / "half.safetensors"
    parity = export_model(model_file, target, Format.TORCH, Storage.FP16, [])
    assert parity.largest_difference <= 5e-3
    whole, half = safetensors.torch.load_file(model_file), safetensors.torch.load_file(target)
    large = {name for name, tensor in whole.items() if tensor.numel() > 16_384}
    assert large
    assert {name for name, tensor in half.items() if tensor.dtype is torch.float16} == large
    saved = sum(2 * whole[name].numel() for name in large)
    assert model_file.stat().st_size - target.stat().st_size == pytest.approx(
        saved, abs=200
    )  # the header's length varies


def test_a_changed_weight_is_caught_and_leaves_no_file(model_file, tmp_path, monkeypatch):
    save = module.save_model

    def save_changed(path, spec, weights, **how):
        changed = {name: tensor.clone() for name, tensor in weights.items()}
        changed["head.bias"] += 1.0
        save(path, spec, changed, **how)

    monkeypatch.setattr(module, "save_model", save_changed)
    with pytest.raises(GateError, match="differs from the original"):
        export_model(model_file, tmp_path / "x.safetensors", Format.TORCH, Storage.FP32, [])
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_refused(model_file, tmp_path):
    (tmp_path / "x.onnx").touch()
    with pytest.raises(UsageError, match="exists already"):
        export_model(model_file, tmp_path / "x.onnx", Format.ONNX, Storage.FP32, [])


@pytest.mark.parametrize(
    ("difference", "dice", "within"),
    [(0.01, 0.99, True), (0.011, 0.99, False), (0.01, 0.989, False)],
)
def test_tolerance(difference, dice, within):
    assert Parity(1, difference, dice).within(Tolerance(difference=0.01, dice=0.99)) is within
