"""One step of training, taken apart from the loop."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lesionctl.runtime.device import Compute
from lesionctl.runtime.precision import Precision
from lesionctl.train.learning.running_mean import RunningMean
from lesionctl.train.learning.step import TrainingStep
from lesionctl.train.options import TrainOptions

CPU = Compute(torch.device("cpu"), Precision.FP32)


@pytest.fixture
def take_step(tiny_spec):
    """A function that makes one step of a single convolution: what is known of it, and its weights and their mean."""

    def take(at_once=None):
        torch.manual_seed(0)
        net = nn.Conv2d(3, 1, 3, padding=1)
        mean = RunningMean(net, 0.5)
        step = TrainingStep(net, net, mean, tiny_spec, TrainOptions(lr=0.1), CPU, pretrained=False)
        images = torch.randint(256, (4, 32, 32, 3), dtype=torch.uint8)
        learned = step(images, images[:, None, :, :, 0] > 127, 0, at_once)
        return learned, net.weight.detach(), mean.module.weight

    return take


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_a_step_in_parts_is_the_step_of_all_pictures(take_step, at_once):
    whole, weights, _ = take_step()
    parts, others, _ = take_step(at_once)
    assert torch.allclose(parts.loss, whole.loss, atol=1e-6)
    assert torch.allclose(parts.norm, whole.norm, rtol=1e-4)
    assert torch.allclose(others, weights, atol=1e-4)


def test_it_moves_the_weights_by_the_rate_and_the_mean_with_them(take_step):
    torch.manual_seed(0)
    before = nn.Conv2d(3, 1, 3, padding=1).weight.detach()
    _, weights, mean = take_step()
    # AdamW's first step is the rate itself, in the gradient's direction, beside a decay of 0.001 of the weights.
    assert ((weights - before).abs() - 0.1).abs().max() < 1e-3
    assert torch.equal(mean, weights)
