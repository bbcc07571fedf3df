"""Training as `train` does it, without data and record: how fast steps are, and how fast pictures are varied."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from lesionctl.drawing.paint import paint_scene
from lesionctl.drawing.scene import plan_scene
from lesionctl.runtime.peak_memory import forget_peak_memory
from lesionctl.runtime.threads import available_cpus
from lesionctl.train.augment.augmentation import Augmentation
from lesionctl.train.augment.recipe import read_recipe
from lesionctl.train.learning.seeding import seed_run
from lesionctl.train.memory.trial import Trial
from lesionctl.train.options import Compile, TrainOptions

if TYPE_CHECKING:
    from lesionctl.imaging.arrays import Image, Mask
    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.device import Compute

_WARM = 3  # steps: the first ones compile, look for the fastest kernels, and get memory
_TURN = 0.8  # seconds
_FEWEST, _MOST = 2, 64  # steps of a turn
_DRAWN = 4  # pictures, which are repeated until they fill a batch
_VIEWS = 32


class TrainSteps:
    """Steps of training a model's network anew, with the options that `train` has by default, on pictures in memory.

    The weights are random, which costs the same; the pictures are drawn, and lie on the device already.

    Args:
        spec: How the model is used.
        compute: Where and how to compute.
        batch_size: Pictures per step.
        compiled: Whether torch compiles the network.

    Attributes:
        images: Pictures per step.

    Raises:
        UsageError: There is no compiler.
    """

    def __init__(self, spec: ModelSpec, compute: Compute, batch_size: int, *, compiled: bool = False) -> None:
        options = TrainOptions(
            size=spec.size,
            batch_size=batch_size,
            device=str(compute.device),
            precision=compute.precision,
            compile=Compile.ON if compiled else Compile.OFF,
        )
        seed_run(options)
        self.images = batch_size
        self._compute = compute
        self._trial = Trial(options, spec, compute, compiled=compiled)
        drawn = [_draw(spec.size, number % _DRAWN) for number in range(batch_size)]
        self._images = torch.from_numpy(np.stack([image for image, _ in drawn])).to(compute.device)
        self._truth = torch.from_numpy(np.stack([mask[None] for _, mask in drawn])).to(compute.device)
        self._steps = 0

    def run(self) -> list[float]:
        """See `Probe.run`; each run is a step, and the first turn has those that warm up too.

        A GPU makes them without waiting for the host, as in a training.
        """
        if not self._steps:
            warm = [self._time_one() for _ in range(_WARM)]
            self._steps = _steps_of_a_turn(warm[-1])
            forget_peak_memory(self._compute)  # looking for kernels may have needed more than training does
            return warm + self.run()
        return self._run_on_cuda() if self._compute.device.type == "cuda" else self._run_on_host()

    def _step(self) -> None:
        self._trial.step(self._images, self._truth)

    def _run_on_host(self) -> list[float]:
        return [self._time_one() for _ in range(self._steps)]

    def _time_one(self) -> float:
        began = time.perf_counter()
        self._step()
        self._trial.wait()
        return time.perf_counter() - began

    def _run_on_cuda(self) -> list[float]:
        """By the clock of the GPU, from the end of one step to the end of the next."""
        ends = [torch.cuda.Event(enable_timing=True) for _ in range(self._steps + 1)]  # type: ignore[no-untyped-call]
        ends[0].record()
        for end in ends[1:]:
            self._step()
            end.record()
        ends[-1].synchronize()
        return [before.elapsed_time(end) / 1e3 for before, end in pairwise(ends)]


def measure_feed(size: int, recipe: str = "standard") -> float:
    """How many pictures a second all processors together can vary for training, at most: one that does nothing else.

    Args:
        size: Side of the network's square input, in pixels.
        recipe: See `read_recipe`.
    """
    augment = Augmentation(size, read_recipe(recipe))
    pictures = [_draw(size, number) for number in range(_DRAWN)]
    augment(*pictures[0], seed=0)  # what OpenCV makes at its first use does not count
    began = time.thread_time()
    for seed in range(_VIEWS):
        augment(*pictures[seed % _DRAWN], seed)
    return available_cpus() * _VIEWS / (time.thread_time() - began)


def _steps_of_a_turn(seconds: float) -> int:
    """How many steps fill a turn, from how long one takes."""
    return min(_MOST, max(_FEWEST, round(_TURN / seconds)))


def _draw(size: int, number: int) -> tuple[Image, Mask]:
    """A picture with its mask: uint8 `[size, size, 3]`, bool `[size, size]`."""
    return paint_scene(0, replace(plan_scene(0, number), width=size, height=size))
