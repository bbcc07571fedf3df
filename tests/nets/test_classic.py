"""What is the classic U-Net's alone: its widths, its depth, and the published count."""

from __future__ import annotations

import pytest
import torch

from lesionctl.nets.build import build_net
from lesionctl.nets.spec import ClassicSpec


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_count_of_weights_agrees_with_the_published_one():
    """31,037,633 with one class; the widespread batch-normed U-Net in PyTorch has 31,037,698 with two.

    That is milesial/Pytorch-UNet with transposed convolutions and, since 2021, no biases before its norms.
    """
    net = build_net(ClassicSpec())
    widths = (64, 128, 256, 512, 1024)

    def double(channels, width):  # two convolutions without bias, two norms
        return 9 * channels * width + 9 * width * width + 4 * width

    down = sum(double(above, width) for above, width in zip((3, *widths), widths, strict=False))
    up = sum(4 * 2 * width * width + width + double(2 * width, width) for width in widths[:-1])
    assert down + up + (64 + 1) == 31_037_633
    assert count(net) == 31_037_633
    assert down + up + 2 * (64 + 1) == 31_037_698


def test_count_of_weights_of_a_narrow_one():
    assert count(build_net(ClassicSpec((16, 32, 64, 128, 256)))) == 1_942_577  # about a sixteenth


@pytest.mark.parametrize("widths", [(4,), (4, 6), (6, 4, 5), (4, 4, 4, 4, 4, 4)])
@torch.no_grad()
def test_depth_is_the_number_of_widths(widths):
    net = build_net(ClassicSpec(widths)).eval()
    assert net.stride == 2 ** (len(widths) - 1)
    assert len(net.down) == len(widths)
    assert len(net.up) == len(net.join) == len(widths) - 1
    assert net(torch.rand(1, 3, 33, 65)).shape == (1, 1, 33, 65)


def test_each_level_has_its_width():
    net = build_net(ClassicSpec((4, 6, 10)))
    seen = []
    for module in (*net.down, *net.join):
        module.register_forward_hook(lambda *call: seen.append(tuple(call[2].shape[1:])))
    net(torch.rand(2, 3, 32, 48))
    assert seen == [(4, 32, 48), (6, 16, 24), (10, 8, 12), (6, 16, 24), (4, 32, 48)]


def test_deeper_levels_see_farther_than_the_first():
    torch.manual_seed(0)
    net = build_net(ClassicSpec((4, 6, 10))).eval()
    picture = torch.rand(1, 3, 64, 64, requires_grad=True)
    net(picture)[0, 0, 30, 30].backward()
    reached = picture.grad[0].abs().sum(0).nonzero()
    # By hand, backwards: 28 to 32 of the first level; 14 to 16 of the second, so 12 to 18; 6 to 9 of the third, so 4 to
    # 11; 8 to 23 of the second, so 6 to 25; 12 to 51 of the first, so 10 to 53. By the first skip alone: 26 to 34.
    assert 10 <= reached.min() < 26
    assert 34 < reached.max() <= 53


def test_a_picture_as_small_as_its_stride_alone_cannot_be_trained_on():
    net = build_net(ClassicSpec((4, 6, 10)))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        net(torch.rand(1, 3, 4, 4))
    assert net(torch.rand(1, 3, 4, 8)).shape == (1, 1, 4, 8)
