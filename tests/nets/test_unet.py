"""What is the U-Net's alone: where its decoder stops, what it joins, and exactly as many weights as worked out."""

from __future__ import annotations

import pytest
import torch

from lesionctl.errors import UsageError
from lesionctl.nets.build import build_net
from lesionctl.nets.spec import UNetSpec

TINY = "mobilenetv3_small_050"  # strides 2, 4, 8, 16, 32
NARROW = (16, 12, 8, 8, 4)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("stride", "levels"), [(1, 5), (2, 4), (4, 3)])
def test_decoder_undoes_a_halving_per_level(stride, levels):
    net = build_net(UNetSpec(TINY, NARROW, stride))
    assert len(net.blocks) == levels
    assert net.head.in_channels == NARROW[levels - 1]


def test_count_of_weights_by_hand():
    net = build_net(UNetSpec("tf_efficientnet_lite0", (160, 96, 48, 32), 2))
    assert net.encoder.feature_info.channels() == [16, 24, 40, 112, 320]
    # Each level: two 3 by 3 convolutions without bias and two numbers per channel of each norm; then the head.
    decoder = sum(
        9 * (below + skip) * width + 9 * width * width + 4 * width
        for below, skip, width in [(320, 112, 160), (160, 40, 96), (96, 24, 48), (48, 16, 32)]
    )
    assert decoder + (32 + 1) == 1_209_825
    assert count(net.blocks) + count(net.head) == 1_209_825
    assert count(net) == 4_168_673


def test_count_of_weights_agrees_with_the_published_one():
    """segmentation_models_pytorch's Unet("resnet34", classes=1) has 24,436,369, with a head of 3 by 3, not 1 by 1."""
    net = build_net(UNetSpec("resnet34", (256, 128, 64, 32, 16), 1))
    assert count(net) == 24_436_241
    published_head, head = 16 * 9 + 1, 16 + 1
    assert count(net) - head + published_head == 24_436_369


def test_encoder_that_begins_at_a_quarter_has_no_skip_above_it():
    net = build_net(UNetSpec("convnext_atto", NARROW, 1)).eval()  # strides 4, 8, 16, 32
    assert net.skip_levels == [2, 1, 0, None, None]
    with torch.no_grad():
        assert net(torch.rand(1, 3, 40, 72)).shape == (1, 1, 40, 72)


def test_skips_of_a_whole_encoder_are_all_joined():
    net = build_net(UNetSpec(TINY, NARROW, 1))
    assert net.skip_levels == [3, 2, 1, 0, None]  # it has no features at the picture's own size


def test_too_few_widths_are_a_usage_error():
    with pytest.raises(UsageError, match="4 decoder levels need as many widths"):
        build_net(UNetSpec(TINY, (16, 12, 8), 2))


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ("vit_tiny_patch16_224", "the strides .* of 'vit_tiny_patch16_224' do not double"),
        ("swin_tiny_patch4_window7_224", "'swin_tiny.*' cannot carry a U-Net on pictures of any size"),
    ],
)
def test_encoder_that_cannot_carry_a_unet_is_a_usage_error(encoder, message):
    with pytest.raises(UsageError, match=message):
        build_net(UNetSpec(encoder))
