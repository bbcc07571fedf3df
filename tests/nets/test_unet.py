"""The network: its shapes on any size, its gradients, and exactly as many weights as worked out."""

from __future__ import annotations

import pytest
import torch

from lesionctl.errors import UsageError
from lesionctl.nets.build import build_net
from lesionctl.nets.spec import NetSpec

TINY = "mobilenetv3_small_050"  # strides 2, 4, 8, 16, 32
NARROW = (16, 12, 8, 8, 4)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def nets():
    """The tiny network with each place for its decoder to stop."""
    torch.manual_seed(0)
    return {stride: build_net(NetSpec(TINY, NARROW, stride)).eval() for stride in (1, 2, 4)}


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 96), (33, 65), (1, 1), (97, 31)])
@torch.no_grad()
def test_logits_have_the_pictures_size(nets, stride, height, width):
    logits = nets[stride](torch.rand(2, 3, height, width))
    assert logits.shape == (2, 1, height, width)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(("stride", "levels"), [(1, 5), (2, 4), (4, 3)])
def test_decoder_undoes_a_halving_per_level(nets, stride, levels):
    assert len(nets[stride].blocks) == levels
    assert nets[stride].head.in_channels == NARROW[levels - 1]


@torch.no_grad()
def test_odd_sizes_are_extended_to_the_right_and_below(nets):
    picture = torch.rand(1, 3, 60, 50)
    extended = torch.nn.functional.pad(picture, (0, 14, 0, 4), mode="replicate")  # to 64 by 64
    torch.testing.assert_close(nets[2](picture), nets[2](extended)[..., :60, :50])


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_every_weight_gets_a_gradient(stride):
    torch.manual_seed(0)
    net = build_net(NetSpec(TINY, NARROW, stride)).train()
    net(torch.rand(2, 3, 64, 64)).square().mean().backward()
    without = [name for name, parameter in net.named_parameters() if parameter.grad is None]
    assert without == []
    assert all(torch.isfinite(parameter.grad).all() for parameter in net.parameters())
    assert all(parameter.grad.any() for parameter in net.blocks.parameters())


def test_count_of_weights_by_hand():
    net = build_net(NetSpec("tf_efficientnet_lite0", (160, 96, 48, 32), 2))
    assert net.encoder.feature_info.channels() == [16, 24, 40, 112, 320]
    # Each level: two 3 by 3 convolutions without bias and two numbers per channel of each norm; then the head.
    decoder = sum(
        9 * (below + skip) * width + 9 * width * width + 4 * width
        for below, skip, width in [(320, 112, 160), (160, 40, 96), (96, 24, 48), (48, 16, 32)]
    )
    assert decoder + (32 + 1) == 1_209_825
    assert count(net.blocks) + count(net.head) == 1_209_825
    assert count(net) == 4_168_673


def test_encoder_that_begins_at_a_quarter_has_no_skip_above_it():
    net = build_net(NetSpec("convnext_atto", NARROW, 1)).eval()  # strides 4, 8, 16, 32
    assert net.skip_levels == [2, 1, 0, None, None]
    with torch.no_grad():
        assert net(torch.rand(1, 3, 40, 72)).shape == (1, 1, 40, 72)


def test_skips_of_a_whole_encoder_are_all_joined(nets):
    assert nets[1].skip_levels == [3, 2, 1, 0, None]  # it has no features at the picture's own size


def test_other_numbers_of_channels_are_taken():
    net = build_net(NetSpec(TINY, NARROW, 2, in_channels=1)).eval()
    with torch.no_grad():
        assert net(torch.rand(1, 1, 64, 64)).shape == (1, 1, 64, 64)


@pytest.mark.parametrize(
    ("channels", "stride", "message"),
    [
        ((16,), 3, "the decoder's stride is 3; it can be 1, 2 or 4"),
        ((), 2, "must be one or more positive widths"),
        ((16, 0), 2, "must be one or more positive widths"),
    ],
)
def test_spec_that_makes_no_sense_is_refused(channels, stride, message):
    with pytest.raises(ValueError, match=message):
        NetSpec(TINY, channels, stride)


def test_too_few_widths_are_a_usage_error():
    with pytest.raises(UsageError, match="4 decoder levels need as many widths"):
        build_net(NetSpec(TINY, (16, 12, 8), 2))


@pytest.mark.parametrize("encoder", ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
def test_encoder_that_cannot_carry_a_unet_is_a_usage_error(encoder):
    with pytest.raises(UsageError, match=encoder):
        build_net(NetSpec(encoder))
