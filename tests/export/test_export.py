"""Exporting: every format agrees with torch, carries what is needed to use it, and is caught where it is wrong."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image as Pillow

from lesionctl.errors import BadFile, GateError, LesionctlError, UsageError
from lesionctl.export import export as module
from lesionctl.export.export import ExportOptions, export_model
from lesionctl.export.formats import Format
from lesionctl.nets.build import build_net
from lesionctl.nets.model_file import save_model
from lesionctl.nets.model_spec import METADATA_KEY, ModelSpec
from lesionctl.nets.spec import ClassicSpec
from lesionctl.runtime.exported_file import Form
from lesionctl.runtime.load import digest_of, load_segmenter
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.program_segmenter import read_program_facts
from lesionctl.runtime.tolerance import Storage, Tolerance

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
openvino = pytest.importorskip("openvino")

CASES = [(to, storage) for to in Format for storage in to.storages if storage is not Storage.INT8]
BOUNDS = {Storage.FP32: 1e-4, Storage.FP16: 5e-3, Storage.BF16: 0.1}  # of a probability's difference
RAW = [(to, Storage.FP32, Form.RAW) for to in (Format.ONNX, Format.OPENVINO, Format.TORCH)]
RANDOM = Tolerance(quantile=0.4, mean_dice=0, smallest_dice=0)
"""Of int8: random weights lose more by rounding than trained ones."""


@pytest.fixture(scope="module", autouse=True)
def _made_once():
    """What takes long and is the same each time is made once: the drawn pictures, and each model's ONNX files."""
    from lesionctl.runtime import to_onnx as conversion

    drawn = list(module.draw_examples(module._DRAWN_PICTURES))
    made = {}

    def to_onnx(spec, net, *, source, half, form):
        key = (source, half, form)
        if key not in made:
            made[key] = convert(spec, net, source=source, half=half, form=form)
        return made[key]

    convert = conversion.to_onnx
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "draw_examples", lambda number: drawn[:number])
        patch.setattr(conversion, "to_onnx", to_onnx)
        yield


@pytest.fixture
def pairs(write_pair, tmp_path):
    """A folder with images/ and masks/ of three pictures."""
    for number in range(3):
        write_pair(
            tmp_path / f"pairs/images/{number}.png",
            tmp_path / f"pairs/masks/{number}_segmentation.png",
            shade=60 + 20 * number,
        )
    return tmp_path / "pairs"


@pytest.fixture(scope="module")
def many_pictures(tmp_path_factory):
    """33 small pictures, each a dark square on a colour of its own: int8 is fitted to 16 of them."""
    folder = tmp_path_factory.mktemp("many")
    colours = np.random.default_rng(0).integers(80, 256, (33, 1, 1, 3))
    for number, colour in enumerate(colours):
        image = np.broadcast_to(colour, (60, 80, 3)).astype(np.uint8)
        image[15:45, 20 : 30 + number] //= 3
        Pillow.fromarray(image).save(folder / f"{number:02}.png")
    return tuple(sorted(folder.iterdir()))


@pytest.fixture(scope="module")
def spec():
    """How a small network is used that takes a second or two to convert."""
    return ModelSpec(
        ClassicSpec((8, 16, 64)),
        64,
        (0.485, 0.456, 0.406),
        (0.229, 0.224, 0.225),
        threshold=0.4,
        name="tiny",
        licence="CC0",
    )


@pytest.fixture(scope="module")
def model_file(spec, tmp_path_factory):
    """Its model file, with random weights; not to be changed."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("classic") / "tiny.safetensors"
    save_model(path, spec, build_net(spec.net).state_dict())
    return path


@pytest.fixture(scope="module")
def changed_file(spec, model_file, tmp_path_factory):
    """The same with one weight changed."""
    weights = safetensors.torch.load_file(model_file)
    weights["head.bias"] = weights["head.bias"] + 8.0  # beyond what int8 may lose too
    path = tmp_path_factory.mktemp("changed") / "tiny.safetensors"
    save_model(path, spec, weights)
    return path


@pytest.fixture(scope="module")
def exported(model_file, tmp_path_factory):
    """A function that exports the model, each way once, and returns what `export_model` does."""
    done = {}

    def export(to, storage=Storage.FP32, form=Form.WHOLE, **more):
        key = (to, storage, form, *sorted(more))
        if key not in done:
            target = tmp_path_factory.mktemp("export") / f"tiny{to.suffix}"
            done[key] = export_model(model_file, target, ExportOptions(to, storage, form, **more))
        return done[key]

    return export


@pytest.mark.parametrize(("to", "storage"), CASES)
def test_every_format_runs_alone_and_agrees_with_torch(exported, model_file, to, storage):
    result = exported(to, storage)
    assert result.parity.pictures == 8
    assert result.parity.largest_difference < BOUNDS[storage]
    assert result.bytes == sum(file.stat().st_size for file in result.files)
    precision = Precision.BF16 if storage is Storage.BF16 else Precision.FP32
    copy_side = load_segmenter(str(result.files[0]), "cpu", precision)
    original = load_segmenter(str(model_file), "cpu", Precision.FP32)
    assert copy_side.spec == original.spec
    for number in (1, 3):  # of any number of pictures
        batch = np.random.default_rng(number).integers(0, 256, (number, 64, 64, 3), dtype=np.uint8)
        np.testing.assert_allclose(copy_side.forward(batch), original.forward(batch), atol=BOUNDS[storage])


@pytest.mark.parametrize(("to", "storage", "form"), [*((*case, Form.WHOLE) for case in CASES), *RAW])
def test_a_changed_weight_is_caught_and_leaves_no_file(
    exported, changed_file, tmp_path, monkeypatch, to, storage, form
):
    _refuse(exported(to, storage, form), changed_file, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("to", "form", "number", "compared", "words"),
    [
        (Format.ONNX, Form.WHOLE, 33, 17, "compared on 17 pictures, fitted to 16 others: "),
        (
            Format.OPENVINO,
            Form.WHOLE,
            31,
            31,
            r"on 31 pictures that it was fitted to \(32 or more would be shared out\): ",
        ),
        (Format.ONNX, Form.RAW, 32, 16, "compared on 16 pictures, fitted to 16 others: "),
    ],
)
def test_int8_is_fitted_to_pictures_and_a_changed_weight_is_caught(
    model_file, changed_file, tmp_path, many_pictures, monkeypatch, to, form, number, compared, words
):
    (tmp_path / "right").mkdir()
    (tmp_path / "wrong").mkdir()
    options = ExportOptions(to, Storage.INT8, form, images=many_pictures[:number])
    monkeypatch.setitem(module.TOLERANCES, Storage.INT8, RANDOM)
    result = export_model(model_file, tmp_path / "right" / f"tiny{to.suffix}", options)
    assert re.search(words, result.describe())
    told = result.to_dict()
    assert (told["pictures"], told["compared_on_others"]) == (compared, compared < number)
    assert told["calibration_pictures"] == (16 if compared < number else number)
    if form is Form.WHOLE:
        assert load_segmenter(str(result.files[0]), "cpu", Precision.FP32).backend.split()[1] == "int8"
    _refuse(result, changed_file, tmp_path / "wrong", monkeypatch)


def _refuse(result, changed_file, folder, monkeypatch):
    """Let the conversion of a model give what was made of another one, which differs by a weight."""
    contents = {file.suffix: file.read_bytes() for file in reversed(result.files)}
    monkeypatch.setattr("lesionctl.export.convert.convert", lambda *_, **__: contents)
    with pytest.raises(GateError, match=r"differs from the original, .* was not written") as caught:
        export_model(changed_file, folder / result.files[0].name, result.options)
    assert caught.value.exit_code == 4
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("to", "storage", "form"), RAW)
def test_a_raw_file_is_the_network_alone_and_predict_says_so(exported, to, storage, form):
    result = exported(to, storage, form)
    assert result.parity.largest_difference < 1e-4
    assert result.to_dict()["form"] == "raw"
    with pytest.raises(BadFile, match="is of the raw form") as caught:
        load_segmenter(str(result.files[0]), "cpu")
    assert caught.value.hint == "write it again without --raw"


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_a_compiled_package_agrees_a_changed_weight_is_caught_and_predict_does_not_run_it(spec, tmp_path, monkeypatch):
    torch.manual_seed(0)
    spec = dataclasses.replace(spec, net=ClassicSpec((2,)), size=32)  # a compiler takes seconds for each layer
    weights = build_net(spec.net).state_dict()
    model_file, changed_file = tmp_path / "tiny.safetensors", tmp_path / "changed.safetensors"
    save_model(model_file, spec, weights)
    save_model(changed_file, spec, weights | {"head.bias": weights["head.bias"] + 8.0})
    result = export_model(model_file, tmp_path / "tiny.pt2", ExportOptions(Format.TORCH, compiled=True))
    assert result.parity.largest_difference < 1e-4
    assert read_program_facts(result.files[0])["lesionctl.source"] == digest_of(model_file)
    with pytest.raises(BadFile, match="machine code, which is not run here"):
        load_segmenter(str(result.files[0]), "cpu")
    (tmp_path / "wrong").mkdir()
    _refuse(result, changed_file, tmp_path / "wrong", monkeypatch)


def test_metadata_of_onnx_say_how_it_is_used_without_this_program(exported, model_file, spec):
    model = onnx.load(exported(Format.ONNX).files[0])
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == exported(Format.ONNX).opset == 18
    image, probability = model.graph.input[0], model.graph.output[0]
    assert (image.name, image.type.tensor_type.elem_type) == ("image", onnx.TensorProto.UINT8)
    assert (probability.name, probability.type.tensor_type.elem_type) == ("probability", onnx.TensorProto.FLOAT)
    _check_facts({entry.key: entry.value for entry in model.metadata_props}, model_file, spec)


def test_metadata_of_openvino_and_torch_are_the_same(exported, model_file, spec):
    model = openvino.Core().read_model(exported(Format.OPENVINO).files[0])
    names = {entry.key for entry in onnx.load(exported(Format.ONNX).files[0]).metadata_props}
    facts = {name: model.get_rt_info(["framework", name]).astype(str) for name in names}
    _check_facts(facts, model_file, spec)
    _check_facts(read_program_facts(exported(Format.TORCH).files[0]), model_file, spec)


def _check_facts(facts, model_file, spec):
    assert ModelSpec.from_json(facts.pop(METADATA_KEY)) == spec
    facts = {name.removeprefix("lesionctl."): text for name, text in facts.items()}
    assert facts.pop("version")
    assert facts == {
        "name": "tiny",
        "licence": "CC0",
        "form": "whole",
        "precision": "fp32",
        "input": "uint8 [N, 64, 64, 3], RGB",
        "output": "float32 [N, 64, 64], probability",
        "size": "64",
        "resize": "squash",
        "mean": "[0.485, 0.456, 0.406]",
        "std": "[0.229, 0.224, 0.225]",
        "threshold": "0.4",
        "postprocess": json.dumps({"largest_region": False, "fill_holes": False, "smallest_area": 0.0}),
        "labels": '{"0": "background", "1": "lesion"}',
        "source": digest_of(model_file),
    }


def test_half_precision_saves_two_bytes_for_each_weight_of_a_large_tensor(exported, model_file):
    whole = safetensors.torch.load_file(model_file)
    large = {name for name, tensor in whole.items() if tensor.numel() > 16_384}
    half = safetensors.torch.load_file(exported(Format.LESIONCTL, Storage.FP16).files[0])
    assert {name for name, tensor in half.items() if tensor.dtype is torch.float16} == large != set()
    saved = 2 * sum(whole[name].numel() for name in large)
    for to, more in ((Format.LESIONCTL, 200), (Format.ONNX, 5_000), (Format.TORCH, 20_000)):  # headers, nodes, graph
        assert exported(to).bytes - exported(to, Storage.FP16).bytes == pytest.approx(saved, abs=more)
    ratio = exported(Format.OPENVINO, Storage.FP16).bytes / exported(Format.OPENVINO).bytes
    assert 0.5 < ratio < 0.9  # the .xml does not shrink


def test_openvino_is_two_files_and_both_or_neither_are_there(exported, model_file, tmp_path):
    xml, weights = exported(Format.OPENVINO).files
    assert (xml.suffix, weights.suffix) == (".xml", ".bin")
    target = tmp_path / "x.xml"
    target.with_suffix(".bin").write_bytes(b"of another model")
    with pytest.raises(UsageError, match=r"x.bin exists already"):
        export_model(model_file, target, ExportOptions(Format.OPENVINO))
    export_model(model_file, target, ExportOptions(Format.OPENVINO, overwrite=True))
    assert {path.name for path in tmp_path.iterdir()} == {"x.xml", "x.bin"}
    assert target.with_suffix(".bin").read_bytes() == weights.read_bytes()


def test_where_openvinos_second_file_cannot_be_put_there_is_no_model(exported, tmp_path, monkeypatch):
    xml, weights = exported(Format.OPENVINO).files
    replace = module.Path.replace

    def fail_at_xml(self, target):
        if self.suffix == ".xml":
            raise OSError("disk full")
        return replace(self, target)

    monkeypatch.setattr(module.Path, "replace", fail_at_xml)
    with pytest.raises(OSError, match="disk full"):
        module._write(tmp_path / "x.xml", {".bin": weights.read_bytes(), ".xml": xml.read_bytes()})
    assert list(tmp_path.iterdir()) == []


def test_dice_against_the_truth_of_both_is_told(model_file, tmp_path, pairs):
    options = ExportOptions(Format.LESIONCTL, images=_images(pairs), masks=pairs / "masks")
    parity = export_model(model_file, tmp_path / "x.safetensors", options).parity
    assert parity.pictures == 3
    assert parity.original_truth_dice == parity.copy_truth_dice
    assert 0 <= parity.original_truth_dice < 1


def _images(pairs):
    return tuple(sorted((pairs / "images").iterdir()))


def test_a_picture_that_cannot_be_read_is_named_and_nothing_is_written(model_file, tmp_path, pairs):
    (pairs / "images" / "1.png").write_bytes(b"junk")
    with pytest.raises(BadFile, match=r"images/1\.png"):
        export_model(model_file, tmp_path / "x.safetensors", ExportOptions(Format.LESIONCTL, images=_images(pairs)))
    assert not (tmp_path / "x.safetensors").exists()


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("x.onnx", ExportOptions(Format.OPENVINO), "--to openvino writes .xml, and not x.onnx"),
        ("x", ExportOptions(), "--to onnx writes .onnx, and not x"),
        ("gone/x.onnx", ExportOptions(), "there is no folder"),
        ("there.onnx", ExportOptions(), "exists already"),
        ("x.onnx", ExportOptions(storage=Storage.BF16), "has no --precision bf16"),
        ("x.pt2", ExportOptions(Format.TORCH, Storage.INT8), "has no --precision int8"),
        ("x.onnx", ExportOptions(storage=Storage.INT8), "fitted to 16 or more pictures .*, and drawn ones will not do"),
        (
            "x.onnx",
            ExportOptions(storage=Storage.INT8, images=(Path("p.png"),) * 15),
            "fitted to .*, and 15 are too few",
        ),
        ("folder", ExportOptions(), "folder is a folder"),
        (".", ExportOptions(), "is a folder"),
        ("folder.onnx", ExportOptions(overwrite=True), "folder.onnx is a folder"),
        ("model.safetensors", ExportOptions(Format.LESIONCTL, overwrite=True), "is the model that is exported"),
        ("x.onnx", ExportOptions(compiled=True), "--aot-inductor is for --to torch"),
        ("x.pt2", ExportOptions(Format.TORCH, Storage.FP16, compiled=True), "would unpack them for each picture"),
        ("x.safetensors", ExportOptions(Format.LESIONCTL, form=Form.RAW), "has no raw form"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(tmp_path, monkeypatch, name, options, words):
    monkeypatch.setattr("lesionctl.nets.model_file.load_model", None)
    (tmp_path / "there.onnx").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(UsageError, match=words):
        export_model(tmp_path / "model.safetensors", tmp_path / name, options)


@pytest.mark.parametrize("suffix", [".onnx", ".xml", ".pt2"])
def test_an_exported_file_is_not_exported_again(tmp_path, suffix):
    with pytest.raises(UsageError, match="is an exported file") as caught:
        export_model(tmp_path / f"m{suffix}", tmp_path / "x.onnx", ExportOptions())
    assert ".safetensors" in caught.value.hint


def test_a_folder_that_may_not_be_written_to_is_named_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr("lesionctl.nets.model_file.load_model", None)
    monkeypatch.setattr(module.os, "access", lambda path, mode: path != tmp_path or mode != module.os.W_OK)
    with pytest.raises(LesionctlError, match="may not be written to") as caught:
        export_model(tmp_path / "model.safetensors", tmp_path / "x.onnx", ExportOptions())
    assert caught.value.hint == "choose another --out"


def test_a_disk_that_is_full_is_told_of_the_file_that_was_asked_for(model_file, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device", ".x.part")

    monkeypatch.setattr(module, "write_bytes", fail)
    with pytest.raises(LesionctlError, match=r"x\.safetensors cannot be written \(No space left on device\)"):
        export_model(model_file, tmp_path / "x.safetensors", ExportOptions(Format.LESIONCTL))


def test_json_holds_what_a_program_needs_that_cannot_read_the_metadata(exported, model_file):
    told = json.loads(json.dumps(exported(Format.ONNX).to_dict()))
    assert told["source"] == digest_of(model_file)
    assert (told["size"], told["resize"], told["threshold"]) == (64, "squash", 0.4)
    assert told["postprocess"] == {"largest_region": False, "fill_holes": False, "smallest_area": 0.0}
    assert (told["mean"], told["std"]) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert (told["calibration_pictures"], told["compared_on_others"]) == (0, None)
    assert exported(Format.ONNX).describe().startswith("compared on 8 drawn pictures: ")
