"""What several of the networks are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor, nn


class AnySizeNet(nn.Module, ABC):
    """What every network is: one that takes pictures of any size, padded inside and cropped at the end.

    Attributes:
        stride: Height and width are padded to multiples of it.
    """

    stride: int

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch.

        Args:
            x: Normalised images, float `[N, C, H, W]`, of any height and width.

        Returns:
            float `[N, 1, H, W]`.
        """
        height, width = x.shape[-2:]
        x = pad_to_multiple(x, self.stride)
        return upsample(self.logits(x), like=x)[..., :height, :width]

    @abstractmethod
    def logits(self, x: Tensor) -> Tensor:
        """Logits where the network stops.

        Args:
            x: Float `[N, C, H, W]`, height and width multiples of `stride`.

        Returns:
            float `[N, 1, h, w]`, of the same or a lower resolution.
        """


class ConvNormAct(nn.Sequential):
    """Convolution, batch norm, ReLU: `[N, in, h, w]` → `[N, out, h, w]`.

    Args:
        in_channels: Channels that come in.
        out_channels: Channels that go out.
        kernel: Side of the kernel, odd; the border is padded with zeros.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class SeparableConvNormAct(nn.Sequential):
    """Depthwise 3×3, pointwise 1×1, batch norm, ReLU: `[N, in, h, w]` → `[N, out, h, w]`.

    Args:
        in_channels: Channels that come in.
        out_channels: Channels that go out.
        rate: Distance of the depthwise kernel's taps in pixels; above 1 the convolution is atrous.
    """

    def __init__(self, in_channels: int, out_channels: int, rate: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, in_channels, 3, padding=rate, dilation=rate, groups=in_channels, bias=False),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until height and width can be halved as often as a network does.

    What comes out of the network is cropped again: `[..., :height, :width]`.

    Args:
        x: float `[N, C, H, W]`, of any height and width.
        multiple: What height and width become multiples of.

    Returns:
        float `[N, C, H', W']`, up to `multiple` - 1 pixels more to the right and below.
    """
    height, width = x.shape[-2:]
    bottom, right = -height % multiple, -width % multiple
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x


def upsample(x: Tensor, like: Tensor) -> Tensor:
    """Bring `[N, C, h, w]` to the height and width of `like` bilinearly; as it is where it has them."""
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
