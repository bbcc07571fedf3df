"""The examples of the README that run an exported model without this program are run, and compared with `predict`."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from chromium import start_chromium
from PIL import Image

import lesionctl
from lesionctl.imaging.postprocess import Postprocess
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.nets.model_file import read_model_spec
from lesionctl.nets.model_spec import METADATA_KEY, ModelSpec
from lesionctl.runtime.exported_file import SOURCE_KEY, Form, write_facts
from lesionctl.runtime.load import find_model
from lesionctl.scoring.counts import count
from lesionctl.scoring.overlap import dice

README = Path(__file__).parents[2] / "README.md"
HEADING = "\n#### An exported model in other programs\n"

ORT_WEB = os.environ.get("LESIONCTL_TEST_ORT_WEB")
"""The unpacked npm package onnxruntime-web, for running the page with it."""

# Libraries shrink pictures by other filters, which moves a smooth outline by less than an eighth of the network's
# pixels: for a disc with a radius of r of them that is a Dice of 1 - 0.125 / r. Here, r is 25 or more.
AGREEMENT = 0.995

NOT_NEEDED = {"lesionctl", "cv2", "torch", "onnx"}
"""Packages that the Python example does without."""

TURNED = 6
"""EXIF: the picture is to be turned by a quarter."""

COLLECT_ERRORS = """
errors = [];
onerror = message => { errors.push(String(message)); };
onunhandledrejection = event => { errors.push(String(event.reason)); };
"""

# What the page asks of onnxruntime-web, done by onnxruntime in the tests' own process.
STAND_IN = """
ort = {
  Tensor: class { constructor(type, data, shape) { Object.assign(this, { type, data, shape }); } },
  InferenceSession: { create: async name => ({
    inputMetadata: [{ name: "image", shape: ["N", SIZE, SIZE, 3] }],
    run: async ({ image }) => {
      const found = await run_network(name, image.type, image.shape, Array.from(image.data).join());
      return { probability: { data: Float32Array.from(JSON.parse(found)) } };
    },
  }) },
};
"""


def draw(height, width, *lesions):
    """Brown ellipses on skin: centre row and column, half height and half width, as shares of the picture."""
    y, x = np.mgrid[:height, :width]
    image = np.full((height, width, 3), (222, 176, 152), np.float64)
    for row, column, tall, wide in lesions:
        distance = np.hypot((y / height - row) / tall, (x / width - column) / wide)
        inside = np.clip((1.1 - distance) / 0.2, 0, 1)[..., None]
        image += inside * (np.array((96, 58, 44)) - image)
    return Image.fromarray(image.astype(np.uint8))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Drawn pictures by name: smaller and larger than the network's input, tall, grey, turned, with two lesions."""
    folder = tmp_path_factory.mktemp("pictures")
    one = (0.48, 0.55, 0.25, 0.22)
    draw(90, 130, one).save(folder / "small.png")
    draw(900, 1200, one).save(folder / "large.jpg")
    draw(700, 300, one).save(folder / "tall.png")
    draw(400, 500, one).convert("L").save(folder / "grey.png")
    draw(300, 420, (0.4, 0.35, 0.25, 0.2), (0.8, 0.85, 0.1, 0.08)).save(folder / "two.png")
    exif = Image.Exif()
    exif[0x0112] = TURNED
    draw(480, 640, (0.4, 0.6, 0.25, 0.2)).save(folder / "turned.jpg", exif=exif)
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The model in the box as an exported file."""
    proto = onnx.load(find_model("lesion-s").with_suffix(".onnx"))
    entries = {entry.key: entry.value for entry in proto.metadata_props}
    spec = ModelSpec.from_json(entries[METADATA_KEY])
    onnx.helper.set_model_props(proto, write_facts(spec, Form.WHOLE, "fp16", entries[SOURCE_KEY]))
    path = tmp_path_factory.mktemp("model") / "lesion-s.onnx"
    onnx.save(proto, path)
    return path


@pytest.fixture(scope="module")
def predicted(pictures, model):
    """What this program finds in the drawn pictures with the exported model, bool, by the picture's name."""
    program = lesionctl.load(model, backend="onnxruntime")
    return {name: program.segment(path).mask for name, path in pictures.items()}


@pytest.fixture(scope="module")
def blocks():
    """The section's code blocks, by language."""
    text = README.read_text()
    assert HEADING in text
    section = re.split(r"\n#{2,4} ", text.split(HEADING)[1])[0]
    found = dict(re.findall(r"\n```(\w+)\n(.*?)\n```\n", section, re.DOTALL))
    assert set(found) == {"python", "html"}
    return found


def read_mask(path):
    pixels = np.asarray(Image.open(path))
    assert pixels.dtype == np.uint8
    assert set(np.unique(pixels)) <= {0, 255}
    return pixels > 0


# Python


@pytest.fixture(scope="module")
def script_file(blocks, tmp_path_factory):
    """The Python example in a folder of its own."""
    path = tmp_path_factory.mktemp("script") / "segment.py"
    path.write_text(blocks["python"])
    return path


@pytest.fixture
def run_script(script_file, tmp_path, monkeypatch):
    """Run the Python example in this process, which has imported onnxruntime; its mask."""

    def run(model, picture):
        monkeypatch.setattr(sys, "argv", [script_file.name, str(model), str(picture), str(tmp_path / "mask.png")])
        runpy.run_path(str(script_file), run_name="__main__")
        return read_mask(tmp_path / "mask.png")

    return run


@pytest.mark.parametrize("name", ["small.png", "large.jpg", "tall.png", "grey.png", "two.png", "turned.jpg"])
def test_the_python_example_finds_what_predict_finds(name, run_script, model, pictures, predicted):
    mask = run_script(model, pictures[name])
    assert mask.shape == predicted[name].shape
    assert 0.05 < mask.mean() < 0.4
    assert dice(count(predicted[name], mask)) >= AGREEMENT


def test_the_python_example_needs_none_of_this_programs_packages(script_file, model, pictures, predicted, tmp_path):
    command = [sys.executable, "-I", "-X", "importtime", script_file, model, pictures["two.png"], "mask.png"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert dice(count(predicted["two.png"], read_mask(tmp_path / "mask.png"))) >= AGREEMENT
    names = (line.split("|")[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:"))
    imported = {name.split(".")[0] for name in names}
    assert {"numpy", "onnxruntime", "PIL"} <= imported
    assert not imported & NOT_NEEDED


def write_red(target, spec):
    """A model whose probability is how red a pixel is."""
    nodes = [
        onnx.helper.make_node("Gather", ["image", "first"], ["red"], axis=3),
        onnx.helper.make_node("Cast", ["red"], ["number"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Div", ["number", "most"], ["probability"]),
    ]
    side = spec.size
    image = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, ["N", side, side, 3])
    probability = onnx.helper.make_tensor_value_info("probability", onnx.TensorProto.FLOAT, ["N", side, side])
    constants = [
        onnx.numpy_helper.from_array(np.array(0), "first"),
        onnx.numpy_helper.from_array(np.array(255, np.float32), "most"),
    ]
    graph = onnx.helper.make_graph(nodes, "red", [image], [probability], constants)
    proto = onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 18)])
    onnx.helper.set_model_props(proto, write_facts(spec, Form.WHOLE, "fp32", ""))
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, target)


@pytest.mark.parametrize(
    ("postprocess", "kept"),
    [
        (Postprocess(), ["ring", "square", "speck"]),
        (Postprocess(largest_region=True), ["ring"]),
        (Postprocess(smallest_area=64.5 / (48 * 64)), ["ring", "square"]),  # the square has 65 pixels with its corner
        (Postprocess(fill_holes=True, smallest_area=66 / (48 * 64)), ["ring", "hole"]),
    ],
    ids=lambda value: value.describe() if isinstance(value, Postprocess) else "",
)
def test_the_python_example_follows_the_metadata(postprocess, kept, run_script, tiny_spec, tmp_path):
    parts = {name: np.zeros((48, 64), bool) for name in ("ring", "hole", "square", "speck")}
    parts["hole"][20:28, 14:22] = True
    parts["ring"][10:40, 4:34] = ~parts["hole"][10:40, 4:34]
    parts["square"][12:20, 44:52] = parts["square"][20, 52] = True  # the last touches by a corner
    parts["speck"][44, 60] = True
    image = np.zeros((48, 64, 3), np.uint8)  # of 64 × 64 that the network sees: nothing is interpolated
    image[parts["ring"] | parts["square"] | parts["speck"], 0] = 110  # 0.43, above the threshold of 0.4
    Image.fromarray(image).save(tmp_path / "picture.png")
    spec = dataclasses.replace(tiny_spec, resize=ResizeRule.PAD, postprocess=postprocess)
    write_red(tmp_path / "red.onnx", spec)

    expected = np.any([parts[name] for name in kept], axis=0)
    mask = run_script(tmp_path / "red.onnx", tmp_path / "picture.png")
    np.testing.assert_array_equal(mask, expected)
    by_program, _ = lesionctl.load(tmp_path / "red.onnx", backend="onnxruntime").segment(image)
    np.testing.assert_array_equal(by_program, expected)


@pytest.mark.parametrize("shape", [(40, 160), (161, 90), (30, 20)])
def test_the_python_example_pads_as_predict_does(shape, run_script, tiny_spec, tmp_path):
    write_red(tmp_path / "red.onnx", dataclasses.replace(tiny_spec, resize=ResizeRule.PAD, threshold=0.62))
    draw(*shape, (0.4, 0.6, 0.3, 0.25)).save(tmp_path / "picture.png")
    mask = run_script(tmp_path / "red.onnx", tmp_path / "picture.png")
    by_program, _ = lesionctl.load(tmp_path / "red.onnx", backend="onnxruntime").segment(tmp_path / "picture.png")
    assert mask.shape == shape
    assert 0.4 < mask.mean() < 0.9
    assert dice(count(by_program, mask)) >= AGREEMENT


# Browser


@pytest.fixture(scope="module")
def script(blocks):
    """The page's script."""
    (found,) = re.findall(r"<script>\n(.*)</script>", blocks["html"], re.DOTALL)
    return found


def test_the_page_is_written_for_the_model_in_the_box(script):
    spec = read_model_spec(find_model("lesion-s"))
    assert f"THRESHOLD = {spec.threshold}, LARGEST_REGION = {str(spec.postprocess.largest_region).lower()};" in script
    assert spec.resize is ResizeRule.SQUASH
    assert spec.postprocess == Postprocess(largest_region=spec.postprocess.largest_region)


def test_the_script_of_the_page_is_javascript(script, tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node")
    (tmp_path / "page.js").write_text(script)
    done = subprocess.run([node, "--check", tmp_path / "page.js"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def browser():
    """One Chromium for all tests."""
    with start_chromium() as started:
        yield started


@pytest.fixture(scope="module", params=["stand-in", "onnxruntime-web"])
def page(request, browser, blocks, model):
    """The page, opened, with the network run in this process or by onnxruntime-web."""
    if request.param == "onnxruntime-web" and not ORT_WEB:
        pytest.skip("LESIONCTL_TEST_ORT_WEB names no copy of onnxruntime-web")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    size = session.get_inputs()[0].shape[1]
    library = "/node_modules/onnxruntime-web/"

    def serve(route, asked):
        path = "/" + asked.url.split("/", 3)[3]
        if path == "/":
            route.fulfill(body=blocks["html"], content_type="text/html")
        elif path == "/lesion-s.onnx":
            route.fulfill(body=model.read_bytes())
        elif request.param == "stand-in" and path == f"{library}dist/ort.wasm.min.js":
            route.fulfill(body=STAND_IN.replace("SIZE", str(size)), content_type="text/javascript")
        elif request.param == "onnxruntime-web" and path.startswith(library):
            kind = "application/wasm" if path.endswith(".wasm") else "text/javascript"
            route.fulfill(body=(Path(ORT_WEB) / path.removeprefix(library)).read_bytes(), content_type=kind)
        else:
            route.fulfill(status=404)

    def run_network(name, kind, shape, values):
        assert (name, kind) == ("lesion-s.onnx", "uint8")
        image = np.array(values.split(","), np.uint8).reshape(shape)
        return json.dumps(session.run(["probability"], {"image": image})[0].ravel().tolist())

    opened = browser.new_page()
    opened.add_init_script(COLLECT_ERRORS)
    opened.route("**/*", serve)
    opened.expose_function("run_network", run_network)
    opened.goto("http://127.0.0.1/")
    yield opened
    opened.close()


@pytest.mark.parametrize("name", ["small.png", "large.jpg", "two.png", "turned.jpg"])
def test_the_page_shows_what_predict_finds(name, page, pictures, predicted):
    height, width = predicted[name].shape
    page.set_input_files("input", pictures[name])
    page.wait_for_function(
        "size => errors.length || (c => c.width + '×' + c.height)(document.querySelector('canvas')) === size",
        arg=f"{width}×{height}",
        timeout=120_000,
    )
    assert page.evaluate("errors") == []
    shown = page.evaluate("document.querySelector('canvas').toDataURL()").partition(",")[2]
    alpha = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown))))[..., 3]
    assert set(np.unique(alpha)) == {80, 255}
    assert dice(count(predicted[name], alpha == 255)) >= AGREEMENT
