"""The Segmenter: from bytes to probabilities as worked out by hand, and to a mask of the picture's own size."""

from __future__ import annotations

from copy import deepcopy  # a network that is run is laid out anew in place
from dataclasses import replace

import numpy as np
import pytest
import torch

from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import UNetSpec
from lesionctl.runtime.device import Compute
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.torch_segmenter import Normalize, TorchSegmenter

CPU = Compute(torch.device("cpu"), Precision.FP32)


class RedChannel(torch.nn.Module):
    """A network whose logit is the normalised red of the pixel."""

    def forward(self, x):
        return x[:, :1]


@pytest.fixture
def spec():
    return ModelSpec(UNetSpec("none"), size=16, mean=(0.5, 0.4, 0.3), std=(0.5, 0.25, 0.2), threshold=0.5)


@pytest.fixture
def red(spec):
    return TorchSegmenter(spec, RedChannel(), CPU)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_normalising_by_hand():
    normalize = Normalize((0.5, 0.4, 0.3), (0.5, 0.25, 0.2))
    batch = torch.tensor([[[[0, 102, 255]]]], dtype=torch.uint8)  # one pixel, in [0, 1]: 0, 0.4, 1
    x = normalize(batch)
    assert x.shape == (1, 3, 1, 1)
    torch.testing.assert_close(x.flatten(), torch.tensor([-1.0, 0.0, 3.5]), atol=1e-6, rtol=0)


def test_batch_is_normalised_in_channels_last_order():
    x = Normalize((0.5,) * 3, (0.5,) * 3)(torch.zeros(2, 4, 5, 3, dtype=torch.uint8))
    assert x.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("red_value", "logit"), [(0, -1.0), (255, 1.0), (51, -0.6)])
def test_probability_by_hand(red, red_value, logit):
    batch = np.zeros((1, 16, 16, 3), np.uint8)
    batch[..., 0] = red_value
    probability = red.forward(batch)
    assert probability.shape == (1, 16, 16)
    assert probability.dtype == np.float32
    np.testing.assert_allclose(probability, sigmoid(logit), atol=1e-6)


@pytest.mark.parametrize("rule", ResizeRule)
def test_pictures_of_any_sizes_become_one_batch_in_order(spec, rule):
    red = TorchSegmenter(replace(spec, resize=rule), RedChannel(), CPU)
    sizes = [(16, 16), (40, 30), (7, 90), (1, 1)]
    images = [np.full((*size, 3), 60 * number, np.uint8) for number, size in enumerate(sizes)]
    probabilities = red.segment(images)
    assert probabilities.shape == (4, 16, 16)
    for number, (probability, size) in enumerate(zip(probabilities, sizes, strict=True)):
        restored = red.spec.frame(*size).restore(probability)
        assert restored.shape == size
        np.testing.assert_allclose(restored, sigmoid(60 * number / 127.5 - 1), atol=1e-5)


def test_mask_has_the_pictures_size_and_is_above_the_threshold(red):
    image = np.zeros((64, 96, 3), np.uint8)
    image[16:48, 24:72, 0] = 255
    frame = red.spec.frame(64, 96)
    mask = red.mask(red.segment([image])[0], frame)
    assert mask.shape == (64, 96)
    assert mask.dtype == np.bool_
    expected = image[..., 0] > 0
    assert (mask != expected).sum() <= 2 * (32 + 48) * 3  # within half a pixel of the network, 4 by 6 of the picture's


def test_probability_at_the_threshold_is_background(red):
    frame = red.spec.frame(16, 16)
    probability = np.full((16, 16), 0.5, np.float32)
    assert not red.mask(probability, frame).any()
    assert red.mask(np.nextafter(probability, np.float32(1)), frame).all()


def test_whole_network_gives_the_same_for_a_picture_alone_and_in_a_batch(tiny_spec, tiny_net):
    segmenter = TorchSegmenter(tiny_spec, deepcopy(tiny_net), CPU)
    images = list(np.random.default_rng(0).integers(0, 256, (3, 50, 70, 3), np.uint8))
    together = segmenter.segment(images)
    for image, probability in zip(images, together, strict=True):
        np.testing.assert_allclose(segmenter.segment([image])[0], probability, atol=1e-5)
    assert 0 <= together.min() < together.max() <= 1


def test_bfloat16_is_close_to_float32(tiny_spec, tiny_net):
    images = list(np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8))
    exact = TorchSegmenter(tiny_spec, deepcopy(tiny_net), CPU).segment(images)
    rounded = TorchSegmenter(tiny_spec, deepcopy(tiny_net), Compute(torch.device("cpu"), Precision.BF16)).segment(
        images
    )
    assert rounded.dtype == np.float32
    np.testing.assert_allclose(rounded, exact, atol=0.03)


def test_network_is_switched_to_evaluation(tiny_spec):
    net = torch.nn.Sequential(torch.nn.Dropout(0.9), RedChannel()).train()
    TorchSegmenter(tiny_spec, net, CPU)
    assert not net.training


def test_read_only_and_strided_batches_are_taken(red):
    batch = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
    expected = red.forward(batch)[::2]
    view = batch[::2]
    view.flags.writeable = False
    np.testing.assert_array_equal(red.forward(view), expected)
