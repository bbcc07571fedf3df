"""The running mean of the weights, which is what is validated and saved (Polyak & Juditsky 1992)."""

from __future__ import annotations

import copy
from itertools import chain
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn


class RunningMean:
    """An exponential mean of a network's weights and of its norms' statistics.

    torch's own (`AveragedModel`) counts its updates on the device: reading that makes a GPU wait at each step.

    Args:
        net: As it will be saved; what is only for training (DDP, synchronised norms) comes later. It is copied.
        decay: Share of the mean that stays at each update, in [0, 1). It starts lower, so that the first random weights
            are soon forgotten.

    Attributes:
        module: The mean, as a network.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(net).requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, net: nn.Module, updates: int) -> None:
        """Take the weights of `net` in; `updates` is how many went before them."""
        keep = min(self._decay, (1 + updates) / (10 + updates)) if updates else 0.0
        pairs = list(zip(_tensors(self.module), _tensors(net), strict=True))
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_([mean for mean, _ in floats], [value for _, value in floats], 1 - keep)
        counts = [pair for pair in pairs if not pair[0].is_floating_point()]  # how many batches a norm has seen
        if counts:
            torch._foreach_copy_([mean for mean, _ in counts], [value for _, value in counts])

    def state_dict(self) -> dict[str, Tensor]:
        """The mean's state dict."""
        return self.module.state_dict()

    def load_state_dict(self, values: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        self.module.load_state_dict(values)


def _tensors(net: nn.Module) -> list[Tensor]:
    return [values.detach() for values in chain(net.parameters(), net.buffers())]
