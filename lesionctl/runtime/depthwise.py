"""Depthwise convolutions in float32, where bfloat16 is slow to train on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from lesionctl.runtime.device import Compute


def train_depthwise_in_float32(net: nn.Module, compute: Compute) -> None:
    """Take the net's slow depthwise convolutions out of bfloat16 autocast; names and weights stay as they are.

    On the CPU, oneDNN has no fast bfloat16 backward pass for depthwise kernels wider than 3 or with a stride: even on a
    processor with bfloat16 instructions it takes two to five times as long as in float32. The rest of a net gains from
    bfloat16, so only these convolutions leave it. A U-Net over tf_efficientnet_lite0 trains about 1.25 times as fast.

    Args:
        net: A network that is about to be trained; changed in place.
        compute: Where it is trained; nothing changes unless that is the CPU in bfloat16.
    """
    if compute.device.type != "cpu" or not compute.bf16:
        return
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and _is_slow(module):
            module.forward = _in_float32(module.forward)  # type: ignore[method-assign, assignment]


def _is_slow(convolution: nn.Conv2d) -> bool:
    depthwise = 1 < convolution.groups == convolution.in_channels
    return depthwise and (convolution.kernel_size[0] > 3 or convolution.stride[0] > 1)


def _in_float32(convolve: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return convolve(x.float()).to(x.dtype)

    return forward
