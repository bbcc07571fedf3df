"""A training step on trial: what the loop does at each step, without its data and its record, to be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from lesionctl.nets.build import build_net
from lesionctl.runtime.depthwise import train_depthwise_in_float32
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.torch_segmenter import Normalize
from lesionctl.train.learning.losses import make_loss
from lesionctl.train.learning.optimizer import make_optimizer
from lesionctl.train.learning.running_mean import RunningMean

if TYPE_CHECKING:
    from torch import Tensor

    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.device import Compute
    from lesionctl.train.options import TrainOptions


class Trial:
    """A network with random weights that is trained as the options say, and then thrown away; it is not compiled.

    Args:
        options: How.
        spec: What the network is, and its input's size.
        compute: Where.

    Attributes:
        net: The network.
    """

    def __init__(self, options: TrainOptions, spec: ModelSpec, compute: Compute) -> None:
        self._compute = compute
        self._clip = options.clip
        self._size = spec.size
        self.net = compute.place(build_net(spec.net))
        self._mean = RunningMean(self.net, options.ema)
        train_depthwise_in_float32(self.net, compute)
        self._normalize = compute.place(Normalize(spec.mean, spec.std))
        self._loss_of = make_loss(options.loss, options.label_smoothing)
        self._optimizer = make_optimizer(self.net, options, compute, pretrained=False)
        self._scaler = torch.amp.GradScaler(compute.device.type, enabled=compute.precision is Precision.FP16)
        self._steps = 0

    def step(self, images: Tensor, truth: Tensor) -> None:
        """Train on pictures that are on the device.

        Args:
            images: uint8 `[B, size, size, 3]`.
            truth: bool `[B, 1, size, size]`.
        """
        self.net.train()
        with self._compute.autocast():
            logits = self.net(self._normalize(images))
        loss = self._loss_of(logits, truth.float())
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimizer)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), self._clip)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._mean.update(self.net, self._steps)
        self._steps += 1

    def step_on_noise(self, pictures: int) -> None:
        """Train on so many pictures of noise; memory and time do not depend on what they show."""
        shape, device = (pictures, self._size, self._size), self._compute.device
        images = torch.randint(256, (*shape, 3), dtype=torch.uint8, device=device)
        self.step(images, images[:, None, :, :, 0] > 127)
