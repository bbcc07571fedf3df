"""From a spec to a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from lesionctl.errors import UsageError
from lesionctl.nets.encoders import build_encoder
from lesionctl.nets.unet import UNet

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from lesionctl.nets.spec import NetSpec


def build_net(spec: NetSpec, encoder_weights: Path | str | None = None) -> nn.Module:
    """Build the network that `spec` describes.

    Args:
        spec: What to build.
        encoder_weights: See `build_encoder`.

    Returns:
        A module from normalised images `[N, C, H, W]` to logits `[N, 1, H, W]`.

    Raises:
        UsageError: The encoder does not exist or cannot carry this decoder.
    """
    encoder = build_encoder(spec.encoder, spec.in_channels, encoder_weights)
    try:
        net = UNet(spec, encoder)
    except ValueError as error:
        raise UsageError(str(error)) from error
    try:
        with torch.no_grad():
            net.eval()(torch.zeros(1, spec.in_channels, 64, 96))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise UsageError(f"'{spec.encoder}' cannot carry a U-Net on pictures of any size: {error}") from error
    return net.train()
