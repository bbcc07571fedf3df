"""What a network has to do: by hand, by hooks on its layers, of several models and views, and of files."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from lesionctl.bench.work import Work, describe_segmenter_work, describe_work
from lesionctl.nets.build import build_net, count_parameters
from lesionctl.nets.spec import ClassicSpec, DeepLabV3PlusSpec, UNetSpec
from lesionctl.runtime.ensemble import EnsembleSegmenter
from lesionctl.runtime.segmenter import Segmenter
from lesionctl.runtime.views import DihedralSegmenter


class Silent(Segmenter):
    def __init__(self, spec):
        self.spec = spec
        self.backend = "none"

    def forward(self, batch):
        raise NotImplementedError


def test_one_level_is_as_counted_by_hand(tiny_spec):
    work = describe_work(replace(tiny_spec, net=ClassicSpec(widths=(2,)), size=16), None)
    pixels, weights, norms, biases = 16 * 16, 2 * 3 * 9 + 2 * 2 * 9 + 2, 2 * 2 * 2, 1
    assert work == Work(
        parameters=weights + norms + biases,
        multiply_adds=pixels * (2 * 3 * 9 + 2 * 2 * 9 + 1 * 2),
        moved=pixels * ((3 + 2) + (2 + 2) + (2 + 1)),
        moved_once=weights + biases,
        file_bytes=None,
    )


def test_pooling_and_transposed_convolutions_are_as_counted_by_hand(tiny_spec):
    work = describe_work(replace(tiny_spec, net=ClassicSpec(widths=(2, 4)), size=16), None)
    upper, lower = 16 * 16, 8 * 8
    down = upper * 9 * (2 * 3 + 2 * 2) + lower * 9 * (4 * 2 + 4 * 4)
    up = lower * 4 * (4 * 2) + upper * 9 * (2 * 4 + 2 * 2) + upper * 2
    assert work.multiply_adds == down + up


@pytest.mark.parametrize(
    "net",
    [
        UNetSpec("tf_efficientnet_lite0", (160, 96, 48, 32)),
        UNetSpec("convnext_atto", (64, 32, 16), decoder_stride=4),  # its blocks have matrix products
        DeepLabV3PlusSpec("resnet10t", aspp_channels=32),
    ],
)
def test_a_network_is_as_counted_by_hooks_on_its_layers(tiny_spec, net):
    built, counted = build_net(net).eval(), []

    def of_convolution(layer, inputs, output):
        counted.append(output.numel() * layer.weight[0].numel())  # an output takes one kernel of its group

    def of_product(layer, inputs, output):
        counted.append(output.numel() * layer.in_features)

    for layer in built.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(of_convolution if isinstance(layer, nn.Conv2d) else of_product)
    with torch.no_grad():
        built(torch.zeros(1, 3, 64, 64))
    work = describe_work(replace(tiny_spec, net=net, size=64), None)
    assert (work.multiply_adds, work.parameters) == (sum(counted), count_parameters(net))


def test_four_times_the_pixels_are_four_times_the_work_with_the_same_weights(tiny_spec):
    small, large = (describe_work(replace(tiny_spec, net=ClassicSpec((4, 8)), size=size), None) for size in (32, 64))
    assert large == replace(small, multiply_adds=4 * small.multiply_adds, moved=4 * small.moved)


def test_the_file_is_as_large_as_it_is_and_an_xml_has_its_weights_beside_it(tiny_spec, tmp_path):
    for name, size in (("a.onnx", 1000), ("b.xml", 30), ("b.bin", 500)):
        (tmp_path / name).write_bytes(bytes(size))
    sizes = [describe_work(tiny_spec, tmp_path / name).file_bytes for name in ("a.onnx", "b.xml")]
    assert sizes == [1000, 530]


def test_of_several_models_it_is_the_sum_and_each_counts_at_its_own_size(tiny_spec, tmp_path):
    paths = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for path in paths:
        path.write_bytes(bytes(100))
    other = replace(tiny_spec, size=128)
    one, two = describe_work(tiny_spec, None), describe_work(other, None)
    ensemble = EnsembleSegmenter([Silent(tiny_spec), Silent(other)])
    both = describe_segmenter_work(ensemble, paths)
    assert both.multiply_adds == one.multiply_adds + two.multiply_adds > 4.9 * one.multiply_adds
    assert (both.parameters, both.file_bytes) == (2 * one.parameters, 200)
    assert describe_segmenter_work(ensemble, []).file_bytes is None


def test_eight_views_are_eight_times_the_work_with_the_same_weights(tiny_spec):
    alone = describe_work(tiny_spec, None)
    views = describe_segmenter_work(DihedralSegmenter(Silent(tiny_spec)), [])
    assert views.to_dict() == {
        "parameters": alone.parameters,
        "multiply_adds": 8 * alone.multiply_adds,
        "moved": 8 * alone.moved,
        "moved_once": 8 * alone.moved_once,
        "file_bytes": None,
    }
