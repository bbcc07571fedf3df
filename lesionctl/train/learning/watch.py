"""The watch over the loss: a value that is no number stops the run, and the pictures of its step are named."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch

from lesionctl.errors import LesionctlError

if TYPE_CHECKING:
    from torch import Tensor

    from lesionctl.dataset.store import Store


class _Reading(NamedTuple):
    step: int
    rows: list[int]
    values: Tensor
    copied: torch.cuda.Event | None


class LossWatch:
    """Reads loss and gradient norm of each step without making a GPU wait: one step late there, at once on the CPU.

    Args:
        store: Knows the pictures' names.
        epoch: The epoch that is under way, from 0.
        world: How many processes train together.
    """

    def __init__(self, store: Store, epoch: int, world: int = 1) -> None:
        self._store = store
        self._epoch = epoch
        self._others = " or those of another process" if world > 1 else ""
        self._pending: _Reading | None = None

    def see(self, step: int, rows: Tensor, loss: Tensor, norm: Tensor) -> float:
        """Take the values of a step.

        Args:
            step: Its number, from 0.
            rows: Where its pictures stand in the store.
            loss: float32 scalar.
            norm: float32 scalar; where a scaler lowers itself after an overflow, give zero.

        Returns:
            The sum of the losses that could be read.

        Raises:
            LesionctlError: One of them is no finite number.
        """
        values, copied = torch.stack([loss.detach(), norm.detach()]), None
        if values.is_cuda:
            values = values.to("cpu", non_blocking=True)
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            copied.record()
        before, self._pending = self._pending, _Reading(step, rows.tolist(), values, copied)
        total = self._read(before)
        return total if copied else total + self.rest()

    def rest(self) -> float:
        """The loss that is still to be read.

        Raises:
            LesionctlError: It is no finite number.
        """
        last, self._pending = self._pending, None
        return self._read(last)

    def _read(self, reading: _Reading | None) -> float:
        if reading is None:
            return 0.0
        if reading.copied is not None:
            reading.copied.synchronize()
        loss, norm = reading.values.tolist()
        if math.isfinite(loss) and math.isfinite(norm):
            return loss
        what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient's norm is {norm}"
        names = sorted({self._store.samples[row].id for row in reading.rows})
        raise LesionctlError(
            f"{what} in epoch {self._epoch + 1} at step {reading.step + 1}, "
            f"on the pictures {', '.join(names)}{self._others}",
            hint="try a lower --lr, or --precision fp32; the last good state is kept",
        )
