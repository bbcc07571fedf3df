"""A model is one file: what is saved is loaded, and anything else is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import safetensors
import safetensors.torch
import torch

from lesionctl.dataset.exposure import Exposure
from lesionctl.errors import BadFile
from lesionctl.imaging.frame import Frame
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.nets.model_file import load_model, read_model_spec, save_model
from lesionctl.nets.model_spec import METADATA_KEY, ModelSpec
from lesionctl.nets.spec import UNetSpec


def test_spec_is_read_back_whole(model_file, tiny_spec):
    assert read_model_spec(model_file) == tiny_spec


def test_spec_with_every_field_set_survives_its_text():
    spec = ModelSpec(
        net=UNetSpec("resnet18", (8, 4), 4, in_channels=1),
        size=96,
        mean=(0.1,),
        std=(0.25,),
        resize=ResizeRule.PAD,
        threshold=0.37,
        name="ü",
        licence="CC BY-NC 4.0",
        training_data="ISIC 2018",
        training_digest="0a" * 32,
        ancestors=("1b" * 32, "2c" * 32),
        seen=Exposure(frozenset({0, 5, 2**64 - 1}), complete=True),
        scores={"dice": 0.9},
    )
    assert ModelSpec.from_json(spec.to_json()) == spec


def test_spec_that_says_nothing_of_what_it_has_seen_reads_as_it_did_before_models_said_it(tiny_spec):
    values = json.loads(tiny_spec.to_json())
    assert "seen" not in values
    assert values["format"] == 1
    assert ModelSpec.from_json(json.dumps(values)).seen == Exposure()


def test_model_file_carries_what_was_seen_of_8500_pictures(tmp_path, tiny_spec, tiny_net, model_file):
    seen = Exposure(frozenset(n * 2**49 + n for n in range(21_000)), complete=True)
    spec = replace(tiny_spec, seen=seen)
    save_model(tmp_path / "m.safetensors", spec, tiny_net.state_dict())
    assert read_model_spec(tmp_path / "m.safetensors") == spec
    assert load_model(tmp_path / "m.safetensors")[0].seen.numbers == seen.numbers
    grown = (tmp_path / "m.safetensors").stat().st_size - model_file.stat().st_size
    assert 224_000 <= grown <= 224_200  # 21,000 keys of 8 bytes in base64
    assert "seen" not in repr(spec)


def test_spec_maps_pictures_by_its_own_rule(tiny_spec):
    assert replace(tiny_spec, resize=ResizeRule.PAD).frame(100, 200) == Frame.fit(100, 200, 64, ResizeRule.PAD)


def test_loaded_network_is_the_saved_one_to_the_bit(model_file, tiny_spec, tiny_net):
    spec, net = load_model(model_file)
    assert spec == tiny_spec
    assert not net.training
    saved, loaded = tiny_net.state_dict(), net.state_dict()
    assert list(saved) == list(loaded)
    assert all(torch.equal(saved[name], loaded[name]) for name in saved)
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(net(picture), tiny_net(picture))


def test_network_in_channels_last_is_saved_the_same(tmp_path, model_file, tiny_spec):
    net = load_model(model_file)[1].to(memory_format=torch.channels_last)
    save_model(tmp_path / "m.safetensors", tiny_spec, net.state_dict())
    assert (tmp_path / "m.safetensors").read_bytes() == model_file.read_bytes()


def test_half_precision_halves_the_large_tensors_and_keeps_the_small(tmp_path, tiny_spec, tiny_net):
    path = tmp_path / "half.safetensors"
    save_model(path, tiny_spec, tiny_net.state_dict(), half=True)
    stored = safetensors.torch.load_file(path)
    for name, tensor in tiny_net.state_dict().items():
        expected = torch.float16 if tensor.numel() > 16_384 else tensor.dtype
        assert stored[name].dtype == expected, name
    spec, net = load_model(path)
    assert spec == tiny_spec
    for name, tensor in net.state_dict().items():
        original = tiny_net.state_dict()[name]
        assert tensor.dtype == original.dtype
        assert torch.equal(tensor, original.half().to(original.dtype) if original.numel() > 16_384 else original)


def test_saving_leaves_the_weights_as_they_are(tmp_path, tiny_spec):
    weights = {"w": torch.rand(3, 3), "n": torch.tensor(5)}
    save_model(tmp_path / "m.safetensors", tiny_spec, weights, half=True)
    assert weights["w"].dtype == torch.float32
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"junk" * 100,
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content[:200],
    ],
    ids=["empty", "junk", "half", "a byte too short", "header cut"],
)
def test_damaged_file_is_a_bad_file(tmp_path, model_file, damage):
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(damage(model_file.read_bytes()))
    for read in (read_model_spec, load_model):
        with pytest.raises(BadFile, match="is no model file that can be read") as caught:
            read(path)
        assert caught.value.path == path


def test_missing_file_and_folder_are_bad_files(tmp_path):
    for path in (tmp_path / "missing.safetensors", tmp_path):
        with pytest.raises(BadFile, match="is no model file that can be read"):
            read_model_spec(path)


def test_weights_alone_are_no_model(tmp_path):
    safetensors.torch.save_file({"w": torch.zeros(2)}, tmp_path / "w.safetensors")
    with pytest.raises(BadFile, match="holds weights alone, not a lesionctl model"):
        load_model(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _: "no json", "cannot be used"),
        (lambda _: json.dumps([1, 2]), "it does not describe a model"),
        (lambda _: json.dumps({}), "it does not describe a model"),
        (lambda values: json.dumps({**values, "format": 2}), r"it has the format of another version \(2\)"),
        (lambda values: json.dumps({**values, "colour": "red"}), "it does not describe a model"),
        (lambda values: json.dumps({**values, "resize": "stretch"}), "stretch"),
        (lambda values: json.dumps({**values, "seen": {"numbers": "AAAA"}}), "does not say rightly what it has seen"),
        (lambda values: json.dumps({**values, "net": {"encoder": "x"}}), "a U-Net is described by"),
        (lambda values: json.dumps({**values, "net": ["unet"]}), "it does not describe a model"),
        (lambda values: json.dumps({**values, "net": {**values["net"], "arch": "fcn"}}), "'fcn' is not a valid Arch"),
        (lambda values: json.dumps({**values, "net": {**values["net"], "decoder_stride": 3}}), "decoder's stride is 3"),
    ],
    ids=[
        "text",
        "list",
        "nothing",
        "version",
        "unknown field",
        "unknown rule",
        "no exposure",
        "net of little",
        "net of another kind of value",
        "unknown net",
        "impossible net",
    ],
)
def test_description_of_something_else_is_a_bad_file(tmp_path, tiny_spec, change, reason):
    text = change(json.loads(tiny_spec.to_json()))
    safetensors.torch.save_file({"w": torch.zeros(2)}, tmp_path / "m.safetensors", metadata={METADATA_KEY: text})
    with pytest.raises(BadFile, match=reason):
        read_model_spec(tmp_path / "m.safetensors")


@pytest.mark.parametrize("encoder", ["mobilenetv3_small_075", "resnet18", "an_encoder_of_the_future"])
def test_weights_that_do_not_fit_their_spec_are_a_bad_file(tmp_path, tiny_spec, tiny_net, encoder):
    path = tmp_path / "m.safetensors"
    save_model(path, replace(tiny_spec, net=replace(tiny_spec.net, encoder=encoder)), tiny_net.state_dict())
    assert read_model_spec(path).net.encoder == encoder
    with pytest.raises(BadFile, match=encoder if "future" in encoder else "do not fit the network that it names"):
        load_model(path)


def test_a_model_is_described_and_data_are_read_without_torch():
    modules = (
        "lesionctl.nets.model_spec, lesionctl.dataset.store, lesionctl.scoring.scoreboard, lesionctl.prepare.prepare"
    )
    code = (
        f"import sys, {modules}\n"
        "print([name for name in ('torch', 'timm', 'torchvision', 'albumentations', 'sklearn') if name in sys.modules])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"
