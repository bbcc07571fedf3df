"""onnxruntime runs ONNX files: the same answers as torch, alone and in a batch, and errors for people."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from lesionctl.errors import BadFile, MissingExtra, UsageError
from lesionctl.runtime import onnx_segmenter
from lesionctl.runtime.precision import Precision

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

from lesionctl.runtime.onnx_segmenter import OnnxSegmenter  # noqa: E402


@pytest.fixture(scope="module", params=[1, 2], ids=["one processor", "two processors"])
def segmenter(request, tiny_onnx):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_segmenter, "available_cpus", lambda: request.param)
        yield OnnxSegmenter(tiny_onnx, "cpu")


@pytest.mark.parametrize("pictures", [1, 2, 5])
def test_it_agrees_with_torch(segmenter, tiny_torch, views, pictures):
    probabilities = segmenter.forward(views[:pictures])
    assert (probabilities.shape, probabilities.dtype) == ((pictures, 64, 64), np.float32)
    np.testing.assert_allclose(probabilities, tiny_torch.forward(views[:pictures]), atol=1e-4)


def test_what_is_said_of_a_picture_does_not_depend_on_those_beside_it(segmenter, views):
    together = segmenter.forward(views)
    alone = np.concatenate([segmenter.forward(view[None]) for view in views])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(segmenter.forward(views[::-1]), together[::-1], atol=1e-6)


def test_the_file_says_how_it_is_used_and_what_it_was_made_from(segmenter, tiny_spec):
    assert (segmenter.spec, segmenter.source) == (tiny_spec, "5a" * 32)
    assert segmenter.backend == "onnxruntime fp32 cpu"


@pytest.mark.parametrize("precision", [Precision.BF16, Precision.FP16])
def test_another_precision_than_its_own_is_refused(tiny_onnx, precision):
    with pytest.raises(UsageError, match=f"computes in fp32, not in {precision}"):
        OnnxSegmenter(tiny_onnx, "cpu", precision)


@pytest.mark.parametrize(
    ("device", "reason"),
    [("mps", "cannot use the device 'mps'"), ("gpu", "cannot use the device"), ("cuda:1", "has no CUDA")],
)
def test_a_device_that_it_lacks_is_refused(tiny_onnx, device, reason, monkeypatch):
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(UsageError, match=reason):
        OnnxSegmenter(tiny_onnx, device)


@pytest.mark.parametrize("content", [b"junk" * 100, b"", None], ids=["junk", "nothing", "the first half"])
def test_a_damaged_file_is_a_bad_file_and_nothing_else_is_said(tiny_onnx, tmp_path, content, capfd):
    path = tmp_path / "x.onnx"
    path.write_bytes(tiny_onnx.read_bytes()[:50_000] if content is None else content)
    with pytest.raises(BadFile, match="is no ONNX file that can be run") as caught:
        OnnxSegmenter(path)
    assert caught.value.path == path
    assert capfd.readouterr() == ("", "")


def test_a_model_of_others_is_refused(tmp_path):
    nothing = onnx.helper.make_node("Identity", ["x"], ["y"])
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    graph = onnx.helper.make_graph([nothing], "g", ends[:1], ends[1:])
    onnx.save(
        onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 18)]),
        tmp_path / "x.onnx",
    )
    with pytest.raises(BadFile, match="does not say how it is used"):
        OnnxSegmenter(tmp_path / "x.onnx")


def test_without_onnxruntime_the_extra_is_named(tiny_onnx, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match="'onnxruntime'") as caught:
        OnnxSegmenter(tiny_onnx)
    assert caught.value.hint == "pip install 'lesionctl[onnx]'"


@pytest.fixture
def marked(tiny_onnx, tmp_path):
    """A function that writes the tiny model with a metadata entry changed."""

    def mark(key, value):
        model = onnx.load(tiny_onnx)
        entries = {entry.key: entry.value for entry in model.metadata_props}
        onnx.helper.set_model_props(model, entries | {f"lesionctl.{key}": value})
        onnx.save(model, tmp_path / "marked.onnx")
        return tmp_path / "marked.onnx"

    return mark


def test_a_file_of_the_raw_form_is_refused_with_what_to_do(marked):
    with pytest.raises(BadFile, match="is of the raw form") as caught:
        OnnxSegmenter(marked("form", "raw"))
    assert caught.value.hint == "write it again without --raw"


def test_a_file_in_int8_is_called_so(marked):
    assert OnnxSegmenter(marked("precision", "int8"), "cpu").backend == "onnxruntime int8 cpu"
