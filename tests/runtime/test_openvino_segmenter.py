"""OpenVINO runs the same ONNX files as onnxruntime, says what it computes in, and calls nobody."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from lesionctl.errors import BadFile, MissingExtra, UsageError
from lesionctl.runtime.exported_file import read_facts
from lesionctl.runtime.precision import Precision

openvino = pytest.importorskip("openvino")
onnx = pytest.importorskip("onnx")

from lesionctl.runtime.openvino_segmenter import OpenVinoSegmenter  # noqa: E402


@pytest.fixture(scope="module")
def segmenter(tiny_onnx):
    return OpenVinoSegmenter(tiny_onnx, "cpu", Precision.FP32)


@pytest.mark.parametrize("pictures", [1, 2, 5])
def test_it_agrees_with_torch_in_float32(segmenter, tiny_torch, views, pictures):
    probabilities = segmenter.forward(views[:pictures])
    assert (probabilities.shape, probabilities.dtype) == ((pictures, 64, 64), np.float32)
    np.testing.assert_allclose(probabilities, tiny_torch.forward(views[:pictures]), atol=1e-4)


def test_what_is_said_of_a_picture_does_not_depend_on_those_beside_it(segmenter, views):
    together = segmenter.forward(views)
    alone = np.concatenate([segmenter.forward(view[None]) for view in views])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_array_equal(segmenter.forward(views[::-1]), together[::-1])


def test_results_are_the_callers_own(segmenter, views):
    first = segmenter.forward(views[:1])
    kept = first.copy()
    segmenter.forward(views[1:2])
    np.testing.assert_array_equal(first, kept)


def test_the_file_says_how_it_is_used_and_what_it_was_made_from(segmenter, tiny_spec):
    assert (segmenter.spec, segmenter.source) == (tiny_spec, "5a" * 32)
    assert segmenter.backend == "openvino fp32 cpu"


def test_auto_is_bfloat16_where_the_processor_has_it(tiny_onnx, tiny_torch, views):
    has_bf16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    segmenter = OpenVinoSegmenter(tiny_onnx)
    assert segmenter.backend == f"openvino {'bf16' if has_bf16 else 'fp32'} cpu"
    np.testing.assert_allclose(segmenter.forward(views), tiny_torch.forward(views), atol=0.05)


def test_openvinos_own_format_keeps_all_of_it(tiny_onnx, tiny_spec, tiny_torch, views, tmp_path):
    openvino.save_model(openvino.Core().read_model(tiny_onnx), tmp_path / "tiny.xml", compress_to_fp16=False)
    segmenter = OpenVinoSegmenter(tmp_path / "tiny.xml", "cpu", Precision.FP32)
    assert (segmenter.spec, segmenter.source) == (tiny_spec, "5a" * 32)
    np.testing.assert_allclose(segmenter.forward(views), tiny_torch.forward(views), atol=1e-4)


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps", "npu"])
def test_a_device_that_openvino_lacks_is_refused(tiny_onnx, device):
    with pytest.raises(UsageError, match=f"OpenVINO has no device '{device}' here: it sees .*cpu"):
        OpenVinoSegmenter(tiny_onnx, device)


def test_a_precision_that_the_device_lacks_is_refused(tiny_onnx):
    lacking = [
        precision
        for precision in (Precision.BF16, Precision.FP16)
        if precision.name not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    ]
    for precision in lacking:
        with pytest.raises(UsageError, match=f"cannot compute in {precision} on this CPU"):
            OpenVinoSegmenter(tiny_onnx, "cpu", precision)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"junk" * 100, "is no model that OpenVINO can run"),
        (None, "is no model that OpenVINO can run"),  # the first half of a file
        (b"", "is no model that OpenVINO can run|does not say how it is used"),
    ],
)
def test_a_damaged_file_is_a_bad_file_and_nothing_else_is_said(tiny_onnx, tmp_path, content, reason, capfd):
    path = tmp_path / "x.onnx"
    path.write_bytes(tiny_onnx.read_bytes()[:50_000] if content is None else content)
    with pytest.raises(BadFile, match=reason) as caught:
        OpenVinoSegmenter(path)
    assert caught.value.path == path
    assert capfd.readouterr() == ("", "")


def test_a_model_of_others_is_refused(tmp_path):
    nothing = onnx.helper.make_node("Identity", ["x"], ["y"])
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    model = onnx.helper.make_model(onnx.helper.make_graph([nothing], "g", ends[:1], ends[1:]), ir_version=10)
    onnx.save(model, tmp_path / "x.onnx")
    with pytest.raises(BadFile, match="does not say how it is used"):
        OpenVinoSegmenter(tmp_path / "x.onnx")


def test_metadata_of_another_version_are_refused(tmp_path):
    with pytest.raises(BadFile, match="another version"):
        read_facts(tmp_path / "x.onnx", {"lesionctl": '{"format": 99}'})


def test_without_openvino_the_extra_is_named(tiny_onnx, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtra, match="'openvino'") as caught:
        OpenVinoSegmenter(tiny_onnx)
    assert caught.value.hint == "pip install 'lesionctl[openvino]'"


def test_openvino_does_not_report_to_its_makers(tiny_onnx):
    """Where its telemetry package is installed, a plain import starts a process that sends an event."""
    script = """
import os, socket, sys
def refuse(*arguments, **options):
    os.write(2, b"called out")
socket.getaddrinfo = socket.socket.connect = refuse
from pathlib import Path
from lesionctl.runtime.openvino_segmenter import OpenVinoSegmenter
OpenVinoSegmenter(Path(sys.argv[1]))
assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]
"""
    done = subprocess.run([sys.executable, "-c", script, str(tiny_onnx)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_signal_finds_its_stack_after_models_have_come_and_gone():
    """Each in a process of its own, which a signal without a stack would kill."""
    program = """
import signal, subprocess, sys
from lesionctl.runtime.load import load_segmenter
signal.signal(signal.SIGCHLD, lambda *_: None)
first = load_segmenter("lesion-s", "cpu", backend="openvino")
second = load_segmenter("lesion-s", "cpu", backend="openvino")
del first
subprocess.run([sys.executable, "-c", ""], check=True)
del second
subprocess.run([sys.executable, "-c", ""], check=True)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
