"""One step of training, the same for those who train and for those who measure it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, NamedTuple

import torch

from lesionctl.runtime.precision import Precision
from lesionctl.runtime.torch_segmenter import Normalize
from lesionctl.train.learning.losses import make_loss
from lesionctl.train.learning.optimizer import make_optimizer
from lesionctl.train.learning.teachers import Teachers

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.device import Compute
    from lesionctl.train.learning.running_mean import RunningMean
    from lesionctl.train.options import TrainOptions


class Learned(NamedTuple):
    """What is known of a step that was made.

    Attributes:
        loss: Its mean over the step's pictures, float32 scalar on the device.
        norm: Of the gradient before it was clipped, float32 scalar on the device; zero where float16 is scaled: it may
            overflow there, and the scaler leaves that step out.
    """

    loss: Tensor
    norm: Tensor


class TrainingStep:
    """Ask the teachers, normalise, forward under autocast, loss, backward, clip, optimiser, running mean.

    Args:
        net: What is trained, on the device.
        model: The same as it is called: compiled, or wrapped for several processes.
        mean: Its running mean.
        spec: How the network is used.
        options: How it is trained.
        compute: Where.
        pretrained: See `make_optimizer`.
        alone: A context, made from `model`, in which gradients are added up in this process alone.

    Attributes:
        optimizer: Holds rates and moments; whoever trains sets the rates.
        scaler: Of gradients in float16; idle in other formats.

    Raises:
        UsageError: The loss cannot aim at what the options ask of it.
        BadFile: A teacher's file cannot be used.
    """

    def __init__(
        self,
        net: nn.Module,
        model: nn.Module,
        mean: RunningMean,
        spec: ModelSpec,
        options: TrainOptions,
        compute: Compute,
        *,
        pretrained: bool,
        alone: Callable[[nn.Module], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._net, self._model, self._mean = net, model, mean
        self._normalize = compute.place(Normalize(spec.mean, spec.std, channels_last=compute.channels_last))
        self._loss_of = make_loss(options.loss, options.label_smoothing, taught=bool(options.teacher))
        self._teachers = Teachers(options.teacher, options.teacher_share, compute) if options.teacher else None
        self._clip = options.clip
        self._compute = compute
        self._alone = alone
        self.optimizer = make_optimizer(net, options, compute, pretrained=pretrained)
        self.scaler = torch.amp.GradScaler(compute.device.type, enabled=compute.precision is Precision.FP16)

    def __call__(self, images: Tensor, truth: Tensor, number: int, at_once: int | None = None) -> Learned:
        """Make it.

        Args:
            images: uint8 `[B, size, size, 3]`, on the device.
            truth: bool `[B, 1, size, size]`, likewise.
            number: How many steps went before it.
            at_once: Pictures per forward pass; all by default. The gradients of several passes are added up.
        """
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._backward(images, truth, at_once or len(images))
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self._net.parameters(), self._clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self._mean.update(self._net, number)
        return Learned(loss, torch.zeros_like(norm) if self.scaler.is_enabled() else norm)

    def _backward(self, images: Tensor, truth: Tensor, at_once: int) -> Tensor:
        loss = torch.zeros((), device=self._compute.device)
        parts = list(zip(*(torch.split(whole, at_once) for whole in (images, truth)), strict=True))
        for number, (some, their_truth) in enumerate(parts, start=1):
            aim = their_truth.float()
            taught = {} if self._teachers is None else {"target": self._teachers.target(aim, some)}
            with self._alone(self._model) if number < len(parts) else nullcontext():
                with self._compute.autocast():
                    logits = self._model(self._normalize(some))
                part = self._loss_of(logits, aim, **taught) * (len(some) / len(images))
                self.scaler.scale(part).backward()  # type: ignore[no-untyped-call]
            loss += part.detach()
        return loss
