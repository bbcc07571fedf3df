"""U-Net (Ronneberger et al. 2015, arXiv:1505.04597) with a timm encoder in place of its contracting path."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor, nn

from lesionctl.nets.blocks import AnySizeNet, ConvNormAct

if TYPE_CHECKING:
    from lesionctl.nets.spec import UNetSpec


class DecoderBlock(nn.Module):
    """Double the size, join the encoder's features of that size, convolve twice."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(in_channels + skip_channels, out_channels)
        self.conv2 = ConvNormAct(out_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        """Decode one level.

        Args:
            x: float `[N, in, h, w]`.
            skip: float `[N, skip, 2h, 2w]`, or None where the encoder has no features of that size.

        Returns:
            float `[N, out, 2h, 2w]`.
        """
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")  # [N, in, 2h, 2w]
        if skip is not None:
            x = torch.cat([x, skip], dim=1)  # [N, in + skip, 2h, 2w]
        return self.conv2(self.conv1(x))


class UNet(AnySizeNet):
    """A U-Net with one output channel: the logit of "lesion" for each pixel.

    Args:
        spec: Widths and where the decoder stops.
        encoder: Returns feature maps, finest first, and describes them in `feature_info`.

    Raises:
        ValueError: The encoder's strides do not double from level to level, or `spec` has too few decoder widths.
    """

    def __init__(self, spec: UNetSpec, encoder: nn.Module) -> None:
        super().__init__()
        channels: list[int] = encoder.feature_info.channels()  # type: ignore[operator, union-attr]
        strides: list[int] = encoder.feature_info.reduction()  # type: ignore[operator, union-attr]
        skips = dict(zip(strides, channels, strict=True))
        self.stride = strides[-1]
        levels = int(math.log2(self.stride / spec.decoder_stride))
        if 2**levels * spec.decoder_stride != self.stride or len(skips) != len(strides):
            raise ValueError(f"the strides {strides} of '{spec.encoder}' do not double from level to level")
        if len(spec.decoder_channels) < levels:
            raise ValueError(f"{levels} decoder levels need as many widths, not {spec.decoder_channels}")

        self.encoder = encoder
        self.blocks = nn.ModuleList()
        self.skip_levels: list[int | None] = []
        width, stride = channels[-1], self.stride
        for out_channels in spec.decoder_channels[:levels]:
            stride //= 2
            self.skip_levels.append(strides.index(stride) if stride in skips else None)
            self.blocks.append(DecoderBlock(width, skips.get(stride, 0), out_channels))
            width = out_channels
        self.head = nn.Conv2d(width, 1, 1)

    def logits(self, x: Tensor) -> Tensor:
        """See `AnySizeNet.logits`."""
        features = self.encoder(x)  # finest first, each [N, c_i, H / s_i, W / s_i]
        y = features[-1]
        for block, level in zip(self.blocks, self.skip_levels, strict=True):
            y = block(y, None if level is None else features[level])  # [N, out, 2h, 2w]
        logits: Tensor = self.head(y)  # [N, 1, H / decoder_stride, W / decoder_stride]
        return logits
