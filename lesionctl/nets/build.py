"""From a spec to a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from lesionctl.errors import UsageError
from lesionctl.nets.classic import ClassicUNet
from lesionctl.nets.deeplabv3plus import DeepLabV3Plus
from lesionctl.nets.encoders import build_encoder
from lesionctl.nets.spec import ClassicSpec, DeepLabV3PlusSpec, UNetSpec
from lesionctl.nets.unet import UNet

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from lesionctl.nets.spec import NetSpec


def build_net(spec: NetSpec, encoder_weights: Path | str | None = None) -> nn.Module:
    """Build the network that `spec` describes.

    Args:
        spec: What to build.
        encoder_weights: See `build_encoder`; the classic U-Net has no encoder to load them into.

    Returns:
        A module in training mode, from normalised images float `[N, C, H, W]` of any height and width to logits float
        `[N, 1, H, W]`. Built over an encoder, it holds that as `encoder`.

    Raises:
        UsageError: The encoder does not exist or cannot carry this network.
        BadFile: The weights file is missing or does not fit the encoder.
        LesionctlError: The hub cannot be reached.
    """
    if isinstance(spec, ClassicSpec):
        return ClassicUNet(spec)
    output_stride = spec.output_stride if isinstance(spec, DeepLabV3PlusSpec) else None
    encoder = build_encoder(spec.encoder, spec.in_channels, encoder_weights, output_stride)
    try:
        net = UNet(spec, encoder) if isinstance(spec, UNetSpec) else DeepLabV3Plus(spec, encoder)
    except ValueError as error:
        raise UsageError(str(error)) from error
    try:
        with torch.no_grad():
            net.eval()(torch.zeros(1, spec.in_channels, 64, 96))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"'{spec.encoder}' cannot carry a {spec.arch.label} on pictures of any size: {error}"
        ) from error
    return net.train()


def count_parameters(spec: NetSpec) -> int:
    """How many numbers the weights of the network are; it is built without memory for them."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build_net(spec).parameters())
