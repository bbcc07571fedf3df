"""A training step on trial: what the loop does at each step, without its data and its record, to be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from lesionctl.nets.build import build_net
from lesionctl.runtime.depthwise import train_depthwise_in_float32
from lesionctl.train.learning.compiling import compile_net
from lesionctl.train.learning.running_mean import RunningMean
from lesionctl.train.learning.step import TrainingStep

if TYPE_CHECKING:
    from torch import Tensor

    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.device import Compute
    from lesionctl.train.options import TrainOptions


class Trial:
    """A network with random weights that is trained as the options say, and then thrown away.

    Args:
        options: How.
        spec: What the network is, and its input's size.
        compute: Where.
        compiled: Whether it is compiled as the options say; that takes minutes, and then seconds for each other batch.

    Attributes:
        net: The network.

    Raises:
        UsageError: It is to be compiled, and cannot be here.
    """

    def __init__(self, options: TrainOptions, spec: ModelSpec, compute: Compute, *, compiled: bool = False) -> None:
        self._compute = compute
        self._size = spec.size
        self.net = compute.place(build_net(spec.net))
        mean = RunningMean(self.net, options.ema)
        train_depthwise_in_float32(self.net, compute)
        model = compile_net(self.net, options, compute) if compiled else self.net
        self._take_step = TrainingStep(self.net, model, mean, spec, options, compute, pretrained=False)
        self._steps = 0

    def step(self, images: Tensor, truth: Tensor) -> None:
        """Train on pictures that are on the device.

        Args:
            images: uint8 `[B, size, size, 3]`.
            truth: bool `[B, 1, size, size]`.
        """
        self.net.train()
        self._take_step(images, truth, self._steps)
        self._steps += 1

    def step_on_noise(self, pictures: int) -> None:
        """Train on so many pictures of noise; memory and time do not depend on what they show."""
        shape, device = (pictures, self._size, self._size), self._compute.device
        images = torch.randint(256, (*shape, 3), dtype=torch.uint8, device=device)
        self.step(images, images[:, None, :, :, 0] > 127)

    def wait(self) -> None:
        """Wait until the device has made all steps that it was given."""
        if self._compute.device.type == "cuda":
            torch.cuda.synchronize(self._compute.device)
        elif self._compute.device.type == "mps":
            torch.mps.synchronize()
