"""Slow depthwise convolutions leave bfloat16, and nothing else changes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lesionctl.runtime.depthwise import train_depthwise_in_float32
from lesionctl.runtime.device import Compute
from lesionctl.runtime.precision import Precision

BF16 = Compute(torch.device("cpu"), Precision.BF16)
FP32 = Compute(torch.device("cpu"), Precision.FP32)


def output_type(convolution, compute, x):
    net = nn.Sequential(convolution)
    train_depthwise_in_float32(net, compute)
    with BF16.autocast():
        return net(x).dtype


@pytest.mark.parametrize(
    ("convolution", "leaves"),
    [
        (nn.Conv2d(8, 8, 5, padding=2, groups=8), True),
        (nn.Conv2d(8, 8, 3, stride=2, groups=8), True),
        (nn.Conv2d(8, 16, 5, groups=8), True),  # with a multiplier
        (nn.Conv2d(8, 8, 3, padding=1, groups=8), False),  # fast in bfloat16
        (nn.Conv2d(8, 8, 5, padding=2), False),
        (nn.Conv2d(8, 8, 5, padding=2, groups=4), False),
        (nn.Conv2d(8, 8, 1), False),
        (nn.Conv2d(1, 1, 5), False),  # one channel is no depthwise convolution
    ],
)
def test_which_convolutions_leave_bfloat16(convolution, leaves):
    x = torch.rand(1, convolution.in_channels, 9, 9)
    assert output_type(convolution, BF16, x) == (torch.float32 if leaves else torch.bfloat16)


@pytest.mark.parametrize("compute", [FP32, Compute(torch.device("meta"), Precision.BF16)])
def test_nothing_changes_elsewhere(compute):
    assert output_type(nn.Conv2d(8, 8, 5, groups=8), compute, torch.rand(1, 8, 9, 9)) == torch.bfloat16


def test_result_is_that_of_float32_in_the_inputs_format():
    torch.manual_seed(0)
    convolution = nn.Conv2d(8, 8, 5, groups=8)
    x = torch.rand(2, 8, 12, 12)
    expected = convolution(x.bfloat16().float())
    train_depthwise_in_float32(nn.Sequential(convolution), BF16)
    with BF16.autocast():
        y = convolution(x.bfloat16())
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, expected.bfloat16())


def test_names_weights_and_gradients_stay():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 5, stride=2, groups=8), nn.BatchNorm2d(8))
    before = {name: values.clone() for name, values in net.state_dict().items()}
    train_depthwise_in_float32(net, BF16)
    assert list(net.state_dict()) == list(before)
    assert all(torch.equal(net.state_dict()[name], before[name]) for name in before)
    with BF16.autocast():
        loss = net(torch.rand(2, 3, 16, 16)).float().square().mean()
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.dtype == torch.float32 for parameter in net.parameters())
