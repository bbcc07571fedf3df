"""The U-Net of 2015 (Ronneberger et al., arXiv:1505.04597).

Two departures, both usual today: batch norms, and padded convolutions, so that logits have the picture's size and
skips need no cropping.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor, nn

from lesionctl.nets.blocks import AnySizeNet, ConvNormAct

if TYPE_CHECKING:
    from lesionctl.nets.spec import ClassicSpec


class DoubleConv(nn.Sequential):
    """Two 3×3 convolutions, each with batch norm and ReLU: `[N, in, h, w]` → `[N, out, h, w]`."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(ConvNormAct(in_channels, out_channels), ConvNormAct(out_channels, out_channels))


class ClassicUNet(AnySizeNet):
    """Figure 1 of the paper, with one output channel: the logit of "lesion" for each pixel.

    In training, the deepest maps must have more than one value per channel for the batch norms: one picture alone must
    be larger than 2^(levels - 1) pixels in height or width, which is 16 for five levels.

    Args:
        spec: Width of each level.
    """

    def __init__(self, spec: ClassicSpec) -> None:
        super().__init__()
        widths = spec.widths
        self.stride = 2 ** (len(widths) - 1)
        self.down = nn.ModuleList(DoubleConv(above, width) for above, width in pairwise((spec.in_channels, *widths)))
        upwards = list(pairwise(reversed(widths)))  # (width below, width), deepest first
        self.up = nn.ModuleList(nn.ConvTranspose2d(below, width, 2, stride=2) for below, width in upwards)
        self.join = nn.ModuleList(DoubleConv(2 * width, width) for _, width in upwards)
        self.head = nn.Conv2d(widths[0], 1, 1)

    def logits(self, x: Tensor) -> Tensor:
        """See `AnySizeNet.logits`."""
        y = self.down[0](x)  # [N, widths[0], H, W]
        skips = []
        for down in self.down[1:]:
            skips.append(y)
            y = down(F.max_pool2d(y, 2))  # [N, widths[i], H / 2^i, W / 2^i]
        for up, join in zip(self.up, self.join, strict=True):
            y = torch.cat([skips.pop(), up(y)], dim=1)  # [N, 2 * widths[i], H / 2^i, W / 2^i]
            y = join(y)  # [N, widths[i], H / 2^i, W / 2^i]
        logits: Tensor = self.head(y)  # [N, 1, H, W]
        return logits
