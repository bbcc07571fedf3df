"""DeepLabV3+ (Chen et al. 2018, arXiv:1802.02611) over a timm encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor, nn

from lesionctl.nets.blocks import AnySizeNet, ConvNormAct, SeparableConvNormAct, upsample

if TYPE_CHECKING:
    from lesionctl.nets.spec import DeepLabV3PlusSpec

ATROUS_RATES = {16: (6, 12, 18), 8: (12, 24, 36)}
"""Rates of the three atrous convolutions by output stride: the same reach in the picture."""

SKIP_STRIDE = 4
SKIP_CHANNELS = 48  # few, lest the encoder's shallow features outweigh the deep ones (the paper's table 1)


class PooledNorm(nn.BatchNorm2d):
    """Batch norm of `[N, C, 1, 1]` that also takes a batch of one in training.

    One value per channel has no variance to norm by; the running statistics take its place then, as in evaluation, and
    are left as they are.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Norm a batch: float `[N, C, 1, 1]` → float `[N, C, 1, 1]`."""
        if self.training and x.shape[0] == 1:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


class ImagePooling(nn.Module):
    """The mean of each channel over the whole picture, seen by a 1×1 convolution and spread over the map again."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.norm = PooledNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Pool: float `[N, in, h, w]` → float `[N, out, h, w]`."""
        pooled = x.mean((2, 3), keepdim=True)  # [N, in, 1, 1]
        pooled = F.relu(self.norm(self.conv(pooled)))  # [N, out, 1, 1]
        return pooled.expand(-1, -1, *x.shape[-2:])  # [N, out, h, w]


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: the same features seen with five reaches, then weighed by a 1×1 convolution.

    Args:
        in_channels: Channels of the encoder's last features.
        out_channels: Channels of each branch and of what goes out.
        rates: Rates of the atrous convolutions, which are depthwise-separable as in the paper's section 3.1.
    """

    def __init__(self, in_channels: int, out_channels: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [
                ConvNormAct(in_channels, out_channels, kernel=1),
                *(SeparableConvNormAct(in_channels, out_channels, rate) for rate in rates),
                ImagePooling(in_channels, out_channels),
            ]
        )
        self.project = ConvNormAct(len(self.branches) * out_channels, out_channels, kernel=1)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Look with five reaches: float `[N, in, h, w]` → float `[N, out, h, w]`."""
        seen = torch.cat([branch(x) for branch in self.branches], dim=1)  # [N, 5 * out, h, w]
        return self.dropout(self.project(seen))


class DeepLabV3Plus(AnySizeNet):
    """DeepLabV3+ with one output channel: the logit of "lesion" for each pixel.

    Args:
        spec: The output stride and the widths.
        encoder: Returns feature maps, finest first, and describes them in `feature_info`; the last has the stride
            `spec.output_stride`.

    Raises:
        ValueError: The encoder has no features at stride 4, or its last ones have another stride than `spec` says.
    """

    def __init__(self, spec: DeepLabV3PlusSpec, encoder: nn.Module) -> None:
        super().__init__()
        channels: list[int] = encoder.feature_info.channels()  # type: ignore[operator, union-attr]
        strides: list[int] = encoder.feature_info.reduction()  # type: ignore[operator, union-attr]
        if SKIP_STRIDE not in strides or strides[-1] != spec.output_stride:
            raise ValueError(
                f"'{spec.encoder}' has features at the strides {strides}; DeepLabV3+ needs {SKIP_STRIDE} among them "
                f"and {spec.output_stride} as the last"
            )
        self.encoder = encoder
        self.stride = spec.output_stride
        self.skip_level = strides.index(SKIP_STRIDE)
        width = spec.aspp_channels
        self.aspp = ASPP(channels[-1], width, ATROUS_RATES[self.stride])
        self.skip = ConvNormAct(channels[self.skip_level], SKIP_CHANNELS, kernel=1)
        self.decoder = nn.Sequential(
            SeparableConvNormAct(width + SKIP_CHANNELS, width), SeparableConvNormAct(width, width)
        )
        self.head = nn.Conv2d(width, 1, 1)

    def logits(self, x: Tensor) -> Tensor:
        """See `AnySizeNet.logits`."""
        features = self.encoder(x)  # finest first, each [N, c_i, H / s_i, W / s_i]
        skip = self.skip(features[self.skip_level])  # [N, 48, H / 4, W / 4]
        y = self.aspp(features[-1])  # [N, aspp, H / output_stride, W / output_stride]
        y = torch.cat([upsample(y, like=skip), skip], dim=1)  # [N, aspp + 48, H / 4, W / 4]
        logits: Tensor = self.head(self.decoder(y))  # [N, 1, H / 4, W / 4]
        return logits
