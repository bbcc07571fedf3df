"""The optimiser, and which weights it treats how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import nn

    from lesionctl.runtime.device import Compute
    from lesionctl.train.options import TrainOptions


def make_optimizer(net: nn.Module, options: TrainOptions, compute: Compute, *, pretrained: bool) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) without decay of norms and biases, fused where it can be.

    With a `layer_decay` below 1, a pretrained encoder learns more slowly the farther from the decoder: its last stage
    at `layer_decay` times the rate of the decoder, the stage before at the square of it, and so on to the stem. A stage
    is what lies between two of the feature maps that the encoder returns.

    Args:
        net: As built; one over a timm encoder holds it as `net.encoder`. Frozen weights are left out.
        options: `lr`, `weight_decay`, `layer_decay`.
        compute: Where it is trained.
        pretrained: Whether the encoder's weights are not random.

    Returns:
        Each group has a `name` and its `share` of the learning rate, in (0, 1]; its rate is `lr` times that.
    """
    layered = pretrained and options.layer_decay < 1 and hasattr(net, "encoder")
    stages = _stages(net.encoder) if layered else {}  # type: ignore[arg-type]
    rest = "decoder" if layered else "net"

    groups: dict[str, dict[str, Any]] = {}
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            continue
        stage = stages.get(parameter)
        share = 1.0 if stage is None else options.layer_decay ** (max(stages.values()) + 1 - stage)
        decays = parameter.ndim > 1 and not name.endswith(".bias")
        group = f"{rest if stage is None else f'encoder stage {stage}'}, {'decay' if decays else 'no decay'}"
        if group not in groups:
            weight_decay = options.weight_decay if decays else 0.0
            groups[group] = {"params": [], "name": group, "share": share, "weight_decay": weight_decay}
            groups[group]["lr"] = options.lr * share
        groups[group]["params"].append(parameter)
    return torch.optim.AdamW(groups.values(), lr=options.lr, fused=compute.device.type != "mps")


def _stages(encoder: nn.Module) -> dict[nn.Parameter, int]:
    """The stage of each of an encoder's weights, from 0.

    Stage i ends with the module that gives feature map i, in the order in which the modules were made; what comes after
    the last one belongs to the last stage. timm's own finer numbering, `group_matcher`, is lost with `features_only`.
    """
    names = [_plain(name) for name, _ in encoder.named_modules()]
    ends = []
    for feature in map(_plain, encoder.feature_info.module_name()):  # type: ignore[operator, union-attr]
        ends.append(max((at for at, name in enumerate(names) if f"{name}_".startswith(f"{feature}_")), default=-1))
    return {
        parameter: next((stage for stage, end in enumerate(ends) if at <= end), len(ends) - 1)
        for at, module in enumerate(encoder.modules())
        for parameter in module.parameters(recurse=False)
    }


def _plain(name: str) -> str:
    """A module's name, the same before and after timm flattens its parents: `stages.0` is `stages_0` then."""
    return name.removeprefix("model.").replace(".", "_")
