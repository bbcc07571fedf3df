"""Encoders by name, and their weights from a file or the cache: all of them or none."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
import safetensors.torch
import torch

from lesionctl.errors import BadFile, UsageError
from lesionctl.nets.encoders import HUB, build_encoder, check_encoder, input_statistics
from lesionctl.nets.timm_import import timm
from lesionctl.paths import encoder_weights_file

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


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto"])  # timm keeps their classifier while it loads
def test_weights_of_other_families_are_loaded_whole(name, tmp_path):
    torch.manual_seed(1)
    published = timm.create_model(name).state_dict()
    safetensors.torch.save_file(published, tmp_path / "encoder.safetensors")
    torch.manual_seed(2)
    encoder = build_encoder(name, 3, tmp_path / "encoder.safetensors").state_dict()
    by_content = {values.numpy().tobytes() for values in published.values()}
    assert [name for name, values in encoder.items() if values.numpy().tobytes() not in by_content] == []


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
        ("tf_efficientnet_lite0.in1k", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    ],
)
def test_input_statistics(name, mean, std):
    assert input_statistics(name) == (mean, std)


def test_statistics_of_an_unknown_encoder_are_a_usage_error():
    with pytest.raises(UsageError, match="timm has no encoder named 'resnet51'"):
        input_statistics("resnet51")


@pytest.mark.parametrize("name", ["resnet18.no_in1k", "resnet18."])
def test_unknown_tag_is_a_usage_error_with_the_known_ones(name):
    with pytest.raises(UsageError, match="timm's encoder 'resnet18' has no weights named") as caught:
        check_encoder(name)
    assert (caught.value.hint or "").startswith("it has: resnet18.a1_in1k, ")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("legacy_seresnet18", "seresnet18-4bb0ce65.pth and pass the file to train as --encoder-weights FILE"),
        ("botnet50ts_256", "--encoder-weights none"),
    ],
)
def test_hub_weights_that_do_not_exist_are_a_usage_error(name, hint, cache):
    with pytest.raises(UsageError, match=f"timm's hub has no weights for '{name}'") as caught:
        build_encoder(name, 3, HUB)
    assert hint in (caught.value.hint or "")


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache."""
    monkeypatch.setenv("LESIONCTL_CACHE_DIR", str(tmp_path))
    encoder_weights_file(TINY).parent.mkdir()


def test_cached_weights_stand_for_the_hub(cache, classifier, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    published = classifier.state_dict()
    safetensors.torch.save_file(published, encoder_weights_file(TINY))
    encoder = build_encoder(TINY, 3, HUB).state_dict()
    assert len(encoder) == 240
    assert [name for name, values in encoder.items() if not torch.equal(values, published[name])] == []


def test_cached_weights_that_do_not_fit_are_a_bad_file(cache, classifier):
    tensors = classifier.state_dict()
    del tensors["conv_stem.weight"]
    safetensors.torch.save_file(tensors, encoder_weights_file(TINY))
    with pytest.raises(BadFile, match=f"do not fit the encoder '{TINY}'.*conv_stem.weight") as caught:
        build_encoder(TINY, 3, HUB)
    assert caught.value.hint == f"remove it, and fetch it again: lesionctl fetch --encoder {TINY}"


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
    assert "lesionctl fetch --encoder mobilenetv3_small_050" in error.hint, error.hint
    assert "--encoder-weights none" in error.hint
    os._exit(7)
"""


def test_offline_the_hub_is_never_contacted(tmp_path):
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "LESIONCTL_CACHE_DIR": str(tmp_path)}
    process = subprocess.run(
        [sys.executable, "-c", OFFLINE], env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == 7, "the hub was contacted" if process.returncode == 3 else process.stderr
