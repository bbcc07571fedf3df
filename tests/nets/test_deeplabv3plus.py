"""What is DeepLabV3+'s alone: dilation, the pyramid, the norm of one pooled value, and the published count."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lesionctl.errors import UsageError
from lesionctl.nets.build import build_net
from lesionctl.nets.deeplabv3plus import ASPP, ImagePooling, PooledNorm
from lesionctl.nets.encoders import build_encoder
from lesionctl.nets.spec import DeepLabV3PlusSpec

TINY = "mobilenetv3_small_050"  # strides 2, 4, 8, 16, 32


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_count_of_weights_agrees_with_the_published_one():
    """22,437,457, as segmentation_models_pytorch's DeepLabV3Plus("resnet34", classes=1).

    That one has one of the decoder's two separable convolutions before the skip is joined; the paper, and this one,
    have both after it. Each has one of 304 and one of 256 channels of input, so that the counts are the same.
    """
    net = build_net(DeepLabV3PlusSpec("resnet34"))
    norm = 2 * 256
    atrous = 3 * (9 * 512 + 512 * 256 + norm)
    aspp = (512 * 256 + norm) + atrous + (512 * 256 + norm) + (5 * 256 * 256 + norm)
    skip = 64 * 48 + 2 * 48
    decoder = (9 * 304 + 304 * 256 + norm) + (9 * 256 + 256 * 256 + norm)
    assert count(net.aspp) == aspp == 999_936
    assert count(net.skip) == skip == 3_168
    assert count(net.decoder) == decoder == 149_424
    assert count(net.head) == 256 + 1
    assert count(net.encoder) == 21_284_672  # ResNet-34's 21,797,672 less its classifier, 512 * 1000 + 1000
    assert count(net) == 22_437_457


@pytest.mark.parametrize(
    ("stride", "strides", "rates"),
    [(16, [2, 4, 8, 16, 16], [6, 12, 18]), (8, [2, 4, 8, 8, 8], [12, 24, 36])],
)
@torch.no_grad()
def test_encoder_is_dilated_and_the_rates_go_with_it(stride, strides, rates):
    net = build_net(DeepLabV3PlusSpec(TINY, stride, aspp_channels=16)).eval()
    features = net.encoder(torch.rand(1, 3, 64, 96))
    assert [64 // feature.shape[-2] for feature in features] == strides
    assert [net.aspp.branches[index][0].dilation[0] for index in (1, 2, 3)] == rates
    assert net.skip_level == 1


@torch.no_grad()
def test_dilated_encoder_has_the_weights_of_the_plain_one(tmp_path):
    torch.save(build_encoder(TINY, 3).state_dict(), tmp_path / "w.pth")
    net = build_net(DeepLabV3PlusSpec(TINY, 8), tmp_path / "w.pth")
    saved = torch.load(tmp_path / "w.pth")
    assert list(saved) == list(net.encoder.state_dict())
    assert all(torch.equal(saved[name], tensor) for name, tensor in net.encoder.state_dict().items())


def test_branches_reach_as_far_as_their_rates():
    aspp = ASPP(4, 8, (6, 12, 18)).eval()
    for branch, reach in zip(aspp.branches, (0, 6, 12, 18), strict=False):
        x = torch.rand(1, 4, 64, 64, requires_grad=True)
        branch(x)[..., 32, 32].sum().backward()
        seen = x.grad.abs().sum((0, 1)).nonzero()
        assert (seen.min().item(), seen.max().item()) == (32 - reach, 32 + reach)


@torch.no_grad()
def test_image_pooling_says_the_same_everywhere():
    seen = ImagePooling(4, 8).eval()(torch.rand(2, 4, 5, 7))
    assert seen.shape == (2, 8, 5, 7)
    assert torch.equal(seen, seen[..., :1, :1].expand_as(seen))


def test_pooled_norm_of_a_batch_of_one_takes_the_running_statistics_and_leaves_them():
    norm = PooledNorm(2).train()
    norm.running_mean.copy_(torch.tensor([1.0, -1.0]))
    norm.running_var.copy_(torch.tensor([4.0, 1.0]))
    x = torch.tensor([3.0, 1.0]).view(1, 2, 1, 1)
    torch.testing.assert_close(norm(x).flatten(), torch.tensor([1.0, 2.0]), rtol=1e-4, atol=1e-4)
    assert norm.running_mean.tolist() == [1.0, -1.0]
    assert norm.num_batches_tracked == 0


def test_pooled_norm_of_more_pictures_is_the_usual_one():
    norm, usual = PooledNorm(3).train(), nn.BatchNorm2d(3).train()
    x = torch.rand(4, 3, 1, 1)
    assert torch.equal(norm(x), usual(x))
    assert torch.equal(norm.running_mean, usual.running_mean)


def test_dropout_is_of_training_alone():
    net = build_net(DeepLabV3PlusSpec(TINY, aspp_channels=16)).eval()
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(net(x), net(x))
        net.aspp.dropout.train()
        assert not torch.equal(net(x), net(x))


def test_encoder_that_begins_at_a_quarter_is_taken():
    net = build_net(DeepLabV3PlusSpec("convnext_atto", aspp_channels=16)).eval()
    assert net.skip_level == 0
    with torch.no_grad():
        assert net(torch.rand(1, 3, 40, 72)).shape == (1, 1, 40, 72)


@pytest.mark.parametrize("encoder", ["swin_tiny_patch4_window7_224", "densenet121", "ghostnet_100", "vgg11_bn"])
def test_encoder_that_cannot_dilate_is_a_usage_error(encoder):
    with pytest.raises(UsageError, match=f"'{encoder}' cannot be built with an output stride of 16") as caught:
        build_net(DeepLabV3PlusSpec(encoder), "hub")  # refused before any weights are looked for
    assert "resnet34" in caught.value.hint


def test_encoder_with_other_strides_than_it_was_asked_for_is_a_usage_error(monkeypatch):
    monkeypatch.setattr("lesionctl.nets.build.build_encoder", lambda name, channels, *_: build_encoder(name, channels))
    with pytest.raises(UsageError, match=r"\[2, 4, 8, 16, 32\]; DeepLabV3\+ needs 4 among them and 16 as the last"):
        build_net(DeepLabV3PlusSpec(TINY))
