"""Encoders by name, and their weights from a file: all of them or none."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import safetensors.torch
import torch

from lesionctl.errors import BadFile, UsageError
from lesionctl.nets.encoders import build_encoder, input_statistics
from lesionctl.nets.timm_import import timm

TINY = "mobilenetv3_small_050"


@pytest.fixture(scope="module")
def classifier():
    """A whole timm model, as its weights are published: with the classifier that no encoder has."""
    torch.manual_seed(1)
    return timm.create_model(TINY)


@pytest.fixture(scope="module", params=["safetensors", "pth"])
def weights(request, classifier, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / f"encoder.{request.param}"
    if request.param == "pth":
        torch.save(classifier.state_dict(), path)
    else:
        safetensors.torch.save_file(classifier.state_dict(), path)
    return path


def test_encoder_describes_its_feature_maps():
    encoder = build_encoder(TINY, 3).eval()
    assert encoder.feature_info.reduction() == [2, 4, 8, 16, 32]
    with torch.no_grad():
        maps = encoder(torch.rand(1, 3, 64, 96))
    assert [tuple(features.shape[2:]) for features in maps] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    assert [features.shape[1] for features in maps] == encoder.feature_info.channels()


def test_weights_of_a_file_are_loaded_whole(weights, classifier):
    encoder, published = build_encoder(TINY, 3, weights).state_dict(), classifier.state_dict()
    assert len(encoder) == 240
    assert [name for name, values in encoder.items() if not torch.equal(values, published[name])] == []


def test_first_convolution_of_a_file_is_summed_up_for_one_channel(weights, classifier):
    encoder, published = build_encoder(TINY, 1, weights).state_dict(), classifier.state_dict()
    torch.testing.assert_close(encoder["conv_stem.weight"], published["conv_stem.weight"].sum(dim=1, keepdim=True))
    others = [name for name in encoder if name != "conv_stem.weight"]
    assert all(torch.equal(encoder[name], published[name]) for name in others)


def test_without_weights_the_seed_decides():
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(build_encoder(TINY, 3).state_dict()["conv_stem.weight"])
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("tf_efficientnet_lite9", "tf_efficientnet_lite"),
        ("resnet51", "resnet50"),
        ("mobilenet_v3_small_050", "mobilenetv3_small_050"),
        ("EfficientNet-B0", "efficientnet_b0"),
    ],
)
def test_unknown_encoder_is_a_usage_error_with_near_names(name, near):
    with pytest.raises(UsageError, match=f"timm has no encoder named '{name}'") as caught:
        build_encoder(name, 3)
    assert near in (caught.value.hint or "")


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
@pytest.mark.parametrize("content", [b"", b"junk" * 100], ids=["empty", "junk"])
def test_damaged_weights_are_a_bad_file(tmp_path, suffix, content):
    path = tmp_path / f"weights.{suffix}"
    path.write_bytes(content)
    with pytest.raises(BadFile) as caught:
        build_encoder(TINY, 3, path)
    assert caught.value.path == path


def test_missing_weights_are_a_bad_file(tmp_path):
    with pytest.raises(BadFile, match="no such file of encoder weights"):
        build_encoder(TINY, 3, tmp_path / "missing.pth")


@pytest.mark.parametrize(
    ("of", "into"),
    [
        ("resnet18", TINY),
        ("resnet18", "resnet34"),  # half of its names, all of the right shapes
        ("resnet10t", "resnet18"),
    ],
)
def test_weights_of_another_encoder_are_a_bad_file(tmp_path, of, into):
    safetensors.torch.save_file(timm.create_model(of).state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(BadFile, match=f"do not fit the encoder '{into}'"):
        build_encoder(into, 3, tmp_path / "other.safetensors")


def test_weights_of_something_else_are_a_bad_file(tmp_path):
    safetensors.torch.save_file({"unrelated": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(BadFile, match="do not fit the encoder"):
        build_encoder(TINY, 3, tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [
        ("resnet18", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("tf_efficientnet_lite0", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("unknown to timm", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ],
)
def test_input_statistics(name, mean, std):
    assert input_statistics(name) == (mean, std)


OFFLINE = """
import os, socket
def refuse(*_, **__):
    os._exit(3)
socket.getaddrinfo = socket.socket.connect = refuse
from lesionctl.errors import LesionctlError
from lesionctl.nets.encoders import HUB, build_encoder
try:
    build_encoder("mobilenetv3_small_050", 3, HUB)
except LesionctlError as error:
    assert "the hub's weights for 'mobilenetv3_small_050' cannot be had" in error.what, error.what
    assert "--encoder-weights none" in error.hint
    os._exit(7)
"""


def test_offline_the_hub_is_never_contacted(tmp_path):
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    process = subprocess.run(
        [sys.executable, "-c", OFFLINE], env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == 7, "the hub was contacted" if process.returncode == 3 else process.stderr
