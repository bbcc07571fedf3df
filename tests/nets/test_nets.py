"""What holds for every network: one suite that each of them inherits."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import onnxruntime
import pytest
import torch

from lesionctl.nets.build import build_net
from lesionctl.nets.model_file import load_model, save_model
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import (
    Arch,
    ClassicSpec,
    DeepLabV3PlusSpec,
    NetSpec,
    UNetSpec,
    spec_from_dict,
    spec_to_dict,
)
from lesionctl.runtime.to_onnx import to_onnx
from lesionctl.runtime.torch_segmenter import WholeModel

TINY = "test_efficientnet"  # 82,300 weights; strides 2, 4, 8, 16, 32
NARROW = (16, 12, 8, 8, 4)


def layers(*names, of=(0, 1)):
    """The layers with weights of some convolutions: the convolution itself and its norm."""
    return {f"{name}.{layer}" for name in names for layer in of}


def decoder_levels(count):
    return layers(*(f"blocks.{level}.conv{number}" for level in range(count) for number in (1, 2))) | {"head"}


ATROUS = layers("aspp.branches.1", "aspp.branches.2", "aspp.branches.3", "decoder.0", "decoder.1", of=(0, 1, 2))
DEEPLAB = ATROUS | layers("aspp.branches.0", "aspp.project", "skip")
DEEPLAB |= {"aspp.branches.4.conv", "aspp.branches.4.norm", "head"}


@cache
def untrained(spec):
    """The network with random weights, in evaluation mode; not to be changed."""
    torch.manual_seed(0)
    return build_net(spec).eval()


class NetSuite:
    """Inherit, name a spec, state what is expected of it."""

    spec: NetSpec
    stride: int
    """Sizes are padded to a multiple of this."""
    count: int
    """Numbers that are learned."""
    own_layers: set[str]
    """Names of the layers with weights, beside the encoder's: files of weights depend on them."""

    @pytest.fixture
    def net(self):
        return untrained(self.spec)

    @pytest.fixture
    def fresh(self):
        torch.manual_seed(0)
        return build_net(self.spec)

    @pytest.fixture
    def model_spec(self):
        return ModelSpec(self.spec, size=64, mean=(0.5,) * 3, std=(0.25,) * 3)

    def test_count_of_weights(self, net):
        assert sum(parameter.numel() for parameter in net.parameters()) == self.count

    def test_names_of_weights_stay(self, net):
        names = {name.rpartition(".")[0] for name in net.state_dict() if not name.startswith("encoder.")}
        assert names == self.own_layers
        assert hasattr(net, "encoder") == (self.spec.arch is not Arch.CLASSIC)

    @pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 96), (33, 65), (1, 1), (97, 31)])
    @torch.no_grad()
    def test_logits_have_the_pictures_size(self, net, height, width):
        logits = net(torch.rand(2, 3, height, width))
        assert logits.shape == (2, 1, height, width)
        assert logits.dtype == torch.float32
        assert torch.isfinite(logits).all()

    @torch.no_grad()
    def test_odd_sizes_are_extended_to_the_right_and_below(self, net):
        assert net.stride == self.stride
        picture = torch.rand(1, 3, 60, 50)
        right, below = -50 % self.stride, -60 % self.stride
        extended = torch.nn.functional.pad(picture, (0, right, 0, below), mode="replicate")
        torch.testing.assert_close(net(picture), net(extended)[..., :60, :50])

    @pytest.mark.parametrize("channels", [1, 4])
    @torch.no_grad()
    def test_other_numbers_of_channels_are_taken(self, channels):
        net = build_net(replace(self.spec, in_channels=channels)).eval()
        assert net(torch.rand(1, channels, 64, 64)).shape == (1, 1, 64, 64)

    @pytest.mark.parametrize("pictures", [1, 2])
    def test_every_weight_gets_a_gradient_from_a_batch_of_one_too(self, fresh, pictures):
        assert fresh.training
        fresh(torch.rand(pictures, 3, 64, 64)).square().mean().backward()
        without = [name for name, parameter in fresh.named_parameters() if parameter.grad is None]
        assert without == []
        assert all(torch.isfinite(parameter.grad).all() for parameter in fresh.parameters())
        own = [parameter for name, parameter in fresh.named_parameters() if not name.startswith("encoder.")]
        assert all(parameter.grad.any() for parameter in own)

    def test_steps_make_the_loss_small(self, fresh):
        pictures, truth = torch.zeros(4, 3, 32, 32), torch.zeros(4, 1, 32, 32)
        pictures[:2, :, 8:24, 8:24] = truth[:2, :, 8:24, 8:24] = 1
        optimizer = torch.optim.AdamW(fresh.parameters(), 1e-2)
        losses = []
        for _ in range(12):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(fresh(pictures), truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.75 * losses[0]

    def test_loaded_network_is_the_saved_one_to_the_bit(self, net, model_spec, tmp_path):
        save_model(tmp_path / "m.safetensors", model_spec, net.state_dict())
        spec, loaded = load_model(tmp_path / "m.safetensors")
        assert spec == model_spec
        picture = torch.rand(2, 3, 70, 50)
        with torch.no_grad():
            assert torch.equal(loaded(picture), net(picture))

    def test_spec_survives_its_text(self):
        assert spec_from_dict(json.loads(json.dumps(spec_to_dict(self.spec)))) == self.spec

    @torch.no_grad()
    def test_it_is_one_graph_to_compile(self, net):
        torch.compiler.reset()
        picture = torch.rand(2, 3, 64, 64)
        compiled = torch.compile(net, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(picture), net(picture))

    @torch.no_grad()
    def test_exported_program_takes_any_number_of_pictures(self, net):
        shapes = ({0: torch.export.Dim("N", min=1)},)
        program = torch.export.export(net, (torch.rand(2, 3, 64, 64),), dynamic_shapes=shapes).module()
        for pictures in (1, 3):
            batch = torch.rand(pictures, 3, 64, 64)
            torch.testing.assert_close(program(batch), net(batch))


class OnnxSuite:
    """Seconds a network: of each architecture one is taken."""

    @torch.no_grad()
    def test_onnx_takes_any_number_of_pictures_and_agrees_with_torch(self, net, model_spec):
        session = onnxruntime.InferenceSession(to_onnx(model_spec, net), providers=["CPUExecutionProvider"])
        whole = WholeModel(net, model_spec).eval()
        for pictures in (1, 3):
            batch = np.random.default_rng(pictures).integers(0, 256, (pictures, 64, 64, 3), dtype=np.uint8)
            (probability,) = session.run(None, {"image": batch})
            np.testing.assert_allclose(probability, whole(torch.from_numpy(batch)).numpy(), atol=1e-4)


class TestUNetAtStride1(NetSuite):
    spec = UNetSpec(TINY, NARROW, 1)
    stride, count, own_layers = 32, 113_313, decoder_levels(5)


class TestUNetAtStride2(NetSuite, OnnxSuite):
    spec = UNetSpec(TINY, NARROW, 2)
    stride, count, own_layers = 32, 112_869, decoder_levels(4)


class TestUNetAtStride4(NetSuite):
    spec = UNetSpec(TINY, NARROW, 4)
    stride, count, own_layers = 32, 110_533, decoder_levels(3)


class TestDeepLabV3PlusAtStride16(NetSuite, OnnxSuite):
    spec = DeepLabV3PlusSpec(TINY, 16, aspp_channels=16)
    stride, count, own_layers = 16, 93_949, DEEPLAB


class TestDeepLabV3PlusAtStride8(NetSuite):
    spec = DeepLabV3PlusSpec(TINY, 8, aspp_channels=16)
    stride, count, own_layers = 8, 93_949, DEEPLAB  # dilation costs no weights


class TestClassic(NetSuite, OnnxSuite):
    spec = ClassicSpec((8, 12, 16))
    stride, count = 4, 14_005
    own_layers = (
        layers(*(f"down.{level}.{number}" for level in range(3) for number in (0, 1)))
        | layers(*(f"join.{level}.{number}" for level in range(2) for number in (0, 1)))
        | {"up.0", "up.1", "head"}
    )
