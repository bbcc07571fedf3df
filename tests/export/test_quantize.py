"""int8 by onnxruntime's quantiser: close to float in both runtimes, smaller, and with all that the file said."""

from __future__ import annotations

import collections
import functools
import sys
import tempfile
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch

from lesionctl.errors import MissingExtra
from lesionctl.export.examples import FEWEST_PICTURES
from lesionctl.nets.build import build_net
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import ClassicSpec, DeepLabV3PlusSpec, UNetSpec
from lesionctl.runtime.exported_file import Form

pytest.importorskip("onnxscript")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from lesionctl.export.quantize import quantize  # noqa: E402
from lesionctl.runtime.to_onnx import to_onnx  # noqa: E402

SIZE = 64
NETS = {
    "U-Net": UNetSpec("test_efficientnet", (32, 24, 16, 16, 8)),
    "DeepLabV3+": DeepLabV3PlusSpec("test_efficientnet", aspp_channels=16),
    "classic": ClassicSpec((8, 16, 32)),
}


class Pair(NamedTuple):
    """A model as ONNX in float32 and in int8."""

    spec: ModelSpec
    net: torch.nn.Module
    whole: bytes
    quantized: bytes


@pytest.fixture(scope="module")
def pictures():
    """Pictures of soft spots, uint8 `[20, 64, 64, 3]`; int8 is fitted to the first 16."""
    coarse = np.random.default_rng(0).integers(0, 256, (FEWEST_PICTURES + 4, 6, 6, 3), dtype=np.uint8)
    return np.stack([cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) for picture in coarse])


@pytest.fixture(scope="module")
def pairs(pictures):
    """A function that makes the pair of a network, once."""
    return functools.cache(lambda name: make_pair(NETS[name], pictures))


@pytest.fixture
def pair(pairs):
    return pairs("U-Net")


@pytest.fixture
def classic(pairs):
    return pairs("classic")


def make_pair(net_spec, pictures):
    """A network with random weights, but with norms and head fitted to pictures: logits have a deviation of 1."""
    spec = ModelSpec(net=net_spec, size=SIZE, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), name="tiny")
    torch.manual_seed(0)
    net = build_net(spec.net)
    batch = torch.from_numpy(normalize(pictures))
    for norm in (module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        norm.momentum = 1.0
    with torch.no_grad():
        net(batch)
        logits = net.eval()(batch)
        convolutions = (module for module in net.modules() if isinstance(module, torch.nn.Conv2d))
        head = next(convolution for convolution in convolutions if convolution.out_channels == 1)
        head.weight /= logits.std()
        head.bias.copy_((head.bias - logits.mean()) / logits.std())
    whole = to_onnx(spec, net, source="5a" * 32)
    return Pair(spec, net, whole, quantize(whole, list(pictures[:FEWEST_PICTURES])))


def normalize(pictures):
    values = (pictures.astype(np.float32) / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2).astype(np.float32))


def run_onnxruntime(model, batch):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run(None, {"image": batch})[
        0
    ]


def run_openvino(model, batch):
    pytest.importorskip("openvino")
    from lesionctl.runtime.openvino_import import import_openvino

    core = import_openvino().Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    return core.compile_model(core.read_model(model), "CPU", settings)({0: batch})[0]


@pytest.mark.parametrize(
    ("name", "run", "number"),
    [
        ("U-Net", run_onnxruntime, 1),
        ("U-Net", run_onnxruntime, 4),
        ("U-Net", run_openvino, 1),
        ("U-Net", run_openvino, 4),
        ("DeepLabV3+", run_onnxruntime, 4),
        ("classic", run_openvino, 4),
    ],
)
def test_int8_is_close_to_float_for_any_number_of_pictures(pairs, pictures, name, run, number):
    pair = pairs(name)
    batch = pictures[-number:]
    expected = run_onnxruntime(pair.whole, batch)
    actual = run(pair.quantized, batch)
    assert (actual.shape, actual.dtype) == ((number, SIZE, SIZE), np.float32)
    assert expected.std() > 0.1  # or being close would say nothing
    difference = np.abs(actual - expected)
    # Random weights suffer most: a trained network differs by 0.005. The deviation of the answers is 0.12 to 0.2.
    assert difference.mean() < 0.08


def test_weights_are_bytes_and_the_file_is_smaller(pair):
    model = onnx.load_from_string(pair.quantized)
    onnx.checker.check_model(model, full_check=True)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    scaled = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    convolutions = [node for node in model.graph.node if node.op_type in {"Conv", "ConvTranspose"}]
    in_bytes = [
        node.input[1] in scaled and tensors[scaled[node.input[1]]].data_type == onnx.TensorProto.INT8
        for node in convolutions
    ]
    assert in_bytes == [False, *[True] * (len(convolutions) - 2), False]  # the first and the last stay in float
    assert len(pair.quantized) < 0.55 * len(pair.whole)  # a quarter, and what describes the graph


def test_the_file_says_what_it_said_before_and_no_more(pair):
    before, after = (onnx.load_from_string(model) for model in (pair.whole, pair.quantized))
    assert {entry.key: entry.value for entry in after.metadata_props} == {
        entry.key: entry.value for entry in before.metadata_props
    }
    for here, there in ((after.graph.input, before.graph.input), (after.graph.output, before.graph.output)):
        assert [(end.name, end.type) for end in here] == [(end.name, end.type) for end in there]


def test_only_operators_of_the_standard_are_used(pair):
    model = onnx.load_from_string(pair.quantized)
    domains = collections.Counter(node.domain for node in model.graph.node)
    assert domains.keys() <= {"", "ai.onnx"}


def test_the_raw_form_is_fitted_to_normalised_pictures(classic, pictures):
    raw = to_onnx(classic.spec, classic.net, form=Form.RAW)
    quantized = quantize(raw, list(pictures[:FEWEST_PICTURES]))
    whole = run_onnxruntime(classic.quantized, pictures[-4:])
    for run in (run_onnxruntime, run_openvino):
        logits = run(quantized, normalize(pictures[-4:]))
        assert (logits.shape, logits.dtype) == ((4, 1, SIZE, SIZE), np.float32)
        # Ranges that were fitted to other numbers would differ by much more than rounding does.
        assert np.abs(1 / (1 + np.exp(-logits[:, 0])) - whole).mean() < 1e-3


def test_weights_that_were_stored_in_half_precision_become_bytes_too(pictures):
    spec = ModelSpec(net=ClassicSpec((32, 64)), size=SIZE, mean=(0.5,) * 3, std=(0.25,) * 3)
    torch.manual_seed(0)
    half = to_onnx(spec, build_net(spec.net).eval(), half=True)
    stored = {tensor.data_type for tensor in onnx.load_from_string(half).graph.initializer}
    assert onnx.TensorProto.FLOAT16 in stored
    quantized = onnx.load_from_string(quantize(half, list(pictures[:FEWEST_PICTURES])))
    large = {tensor.data_type for tensor in quantized.graph.initializer if np.prod(tensor.dims) > 2_000}
    assert large == {onnx.TensorProto.INT8}


def test_it_says_nothing_leaves_nothing_behind_and_gives_the_same_file_again(
    classic, pictures, tmp_path, monkeypatch, capfd, caplog
):
    steps = []

    class Listener:
        def task(self, description, total=None, **_):
            steps.append((description, total))
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def advance(self, count=1):
            steps.append(count)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    again = quantize(classic.whole, list(pictures[:FEWEST_PICTURES]), progress=Listener())
    assert again == classic.quantized
    assert (*capfd.readouterr(), caplog.text) == ("", "", "")
    assert list(tmp_path.iterdir()) == []
    assert steps == [("calibrating", 16), *[1] * 16]  # every picture is a step


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_its_packages_the_extra_is_named(classic, pictures, missing, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("onnxruntime")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtra, match=f"needs the package '{missing}'") as caught:
        quantize(classic.whole, list(pictures))
    assert caught.value.hint == "pip install 'lesionctl[onnx]'"
