"""Which weights decay, and how fast each learns."""

from __future__ import annotations

import pytest
import torch

from lesionctl.nets.build import build_net
from lesionctl.nets.spec import ClassicSpec, DeepLabV3PlusSpec, UNetSpec
from lesionctl.nets.timm_import import timm  # before timm.optim, which imports what it makes ready
from lesionctl.runtime.device import Compute
from lesionctl.runtime.precision import Precision
from lesionctl.train.learning.optimizer import make_optimizer
from lesionctl.train.options import TrainOptions

CPU = Compute(torch.device("cpu"), Precision.FP32)
TINY = "mobilenetv3_small_050"
SPECS = {
    "unet": UNetSpec(TINY, (16, 12, 8, 8, 4), 2),
    "resnet": UNetSpec("resnet18", (16, 12, 8, 8, 4), 4),
    "deeplab": DeepLabV3PlusSpec(TINY, aspp_channels=8),
    "classic": ClassicSpec((4, 8)),
}


@pytest.fixture(scope="module")
def nets():
    """One small network of each kind."""
    return {name: build_net(spec) for name, spec in SPECS.items()}


def layout(net, pretrained=True, **options):
    """Group of each weight, by the weight's name."""
    optimizer = make_optimizer(net, TrainOptions(**options), CPU, pretrained=pretrained)
    names = {parameter: name for name, parameter in net.named_parameters()}
    found = {names[parameter]: group for group in optimizer.param_groups for parameter in group["params"]}
    assert len(found) == len(names) == sum(len(group["params"]) for group in optimizer.param_groups)
    return found


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("layer_decay", [1.0, 0.5])
def test_norms_and_biases_alone_do_not_decay(nets, kind, layer_decay):
    groups = layout(nets[kind], weight_decay=0.03, layer_decay=layer_decay)
    from timm.optim import param_groups_weight_decay

    theirs = param_groups_weight_decay(nets[kind], 0.03)
    decays = {id(parameter): group["weight_decay"] for group in theirs for parameter in group["params"]}
    for name, parameter in nets[kind].named_parameters():
        assert groups[name]["weight_decay"] == decays[id(parameter)] == (0.03 if parameter.ndim > 1 else 0.0)


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize(("layer_decay", "pretrained"), [(1.0, True), (0.5, False)])
def test_all_weights_learn_alike_by_default_and_from_random_weights(nets, kind, layer_decay, pretrained):
    groups = layout(nets[kind], pretrained, layer_decay=layer_decay, lr=0.002).values()
    assert {(group["name"], group["share"], group["lr"]) for group in groups} == {
        ("net, decay", 1.0, 0.002),
        ("net, no decay", 1.0, 0.002),
    }


@pytest.mark.parametrize(
    ("kind", "stages"),
    [
        ("unet", ["conv_stem bn1", "blocks.0", "blocks.1", "blocks.2 blocks.3", "blocks.4 blocks.5"]),
        ("deeplab", ["conv_stem bn1", "blocks.0", "blocks.1", "blocks.2 blocks.3", "blocks.4 blocks.5"]),
        ("resnet", ["conv1 bn1", "layer1", "layer2", "layer3", "layer4"]),
    ],
)
def test_stages_of_a_pretrained_encoder_learn_more_slowly_the_farther_from_the_decoder(nets, kind, stages):
    stage_of = {f"encoder.{module}.": stage for stage, names in enumerate(stages) for module in names.split()}
    for name, group in layout(nets[kind], layer_decay=0.5, lr=0.01).items():
        if name.startswith("encoder."):
            stage = next(stage for module, stage in stage_of.items() if name.startswith(module))
            part, share = f"encoder stage {stage}", 0.5 ** (5 - stage)  # 1/32 in the stem, 1/2 in the last stage
        else:
            part, share = "decoder", 1.0
        assert group["name"].split(", ")[0] == part, name
        assert (group["share"], group["lr"]) == (share, 0.01 * share), name


def test_net_without_an_encoder_has_no_stages(nets):
    assert {group["share"] for group in layout(nets["classic"], layer_decay=0.5).values()} == {1.0}


@pytest.mark.parametrize(
    ("encoder", "counts"),
    [
        # timm flattens these names: stem and four stages, of which the first holds the stem too
        ("convnext_atto", [22, 22, 58, 22]),
        # one feature map ends within a block, after its second convolution
        ("xception41", [21, 21, 21, 165, 24]),
        # what comes after the last feature map's module is of the last stage
        ("selecsls42b", [3, 36, 36, 36, 6]),
    ],
)
def test_stages_end_where_the_feature_maps_come_from(encoder, counts):
    net = torch.nn.Module()
    net.encoder = timm.create_model(encoder, features_only=True)
    groups = [group["name"].split(", ")[0] for group in layout(net, layer_decay=0.9).values()]
    assert [groups.count(f"encoder stage {stage}") for stage in range(len(counts))] == counts


def test_frozen_weights_are_left_out():
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
    net[0].requires_grad_(False)
    optimizer = make_optimizer(net, TrainOptions(), CPU, pretrained=False)
    assert [len(group["params"]) for group in optimizer.param_groups] == [1, 1]


def test_state_goes_round_with_names_and_shares(nets):
    options = TrainOptions(layer_decay=0.7)
    saved = make_optimizer(nets["unet"], options, CPU, pretrained=True).state_dict()
    other = make_optimizer(nets["unet"], options, CPU, pretrained=True)
    other.load_state_dict(saved)
    assert [(group["name"], group["share"]) for group in other.param_groups] == [
        (group["name"], group["share"]) for group in saved["param_groups"]
    ]


@pytest.mark.parametrize(("device", "fused"), [("cpu", True), ("mps", False)])
def test_optimiser_is_fused_where_it_can_be(device, fused):
    net = torch.nn.Linear(2, 1)
    compute = Compute(torch.device(device), Precision.FP32)
    assert make_optimizer(net, TrainOptions(), compute, pretrained=False).defaults["fused"] is fused
