"""The network alone: from bytes in memory to probabilities in memory."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lesionctl.drawing.paint import paint_scene
from lesionctl.drawing.scene import plan_scene

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from numpy.typing import NDArray

    from lesionctl.runtime.segmenter import Segmenter
    from lesionctl.runtime.torch_segmenter import TorchSegmenter

TURN_SECONDS = 0.5
"""How long a turn is to take, where the network is neither very slow nor very fast."""

FEWEST_RUNS, MOST_RUNS = 4, 100  # in a turn: a percentile wants many, a person wants an end

_WARM_UP_RUNS = 3
_DRAWN = 8  # pictures that differ; beyond, they come again


class DeviceClock(Protocol):
    """Measures work that a device does by itself, while the host goes on."""

    def time(self, work: Callable[[], object]) -> None:
        """Hand `work` to the device and mark on it where it begins and ends."""

    def read(self) -> list[float]:
        """Wait for the device; the seconds of each piece of work since the last reading."""


class CudaClock:
    """The clock of a CUDA device: events in its own queue.

    Args:
        device: The device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._marks: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    def time(self, work: Callable[[], object]) -> None:
        """See `DeviceClock.time`."""
        import torch

        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        stream = torch.cuda.current_stream(self._device)
        began.record(stream)
        work()
        ended.record(stream)
        self._marks.append((began, ended))

    def read(self) -> list[float]:
        """See `DeviceClock.read`."""
        import torch

        torch.cuda.synchronize(self._device)
        seconds = [began.elapsed_time(ended) / 1e3 for began, ended in self._marks]
        self._marks.clear()
        return seconds


class NetworkProbe:
    """The network alone, on drawn pictures that are in its geometry already.

    Args:
        segmenter: The model.
        batch_size: Pictures per run.
        clock: That of the device, where it works by itself: on it, the same network is timed once more, without the
            way of the pictures to it and of the probabilities back.

    Attributes:
        images: Pictures per run.
        device_seconds: Of each run of the last turn, by `clock`; empty without one.
    """

    def __init__(self, segmenter: Segmenter, batch_size: int, clock: DeviceClock | None = None) -> None:
        self.images = batch_size
        self.device_seconds: list[float] = []
        self._segmenter = segmenter
        self._batch = draw_batch(segmenter.spec.size, batch_size)
        self._clock = clock
        self._runs = 0

    def run(self) -> list[float]:
        """See `Probe.run`. The first turn warms up, and finds how many runs make a turn."""
        if not self._runs:
            first = [self._time_one() for _ in range(_WARM_UP_RUNS)]
            self._runs = int(np.clip(TURN_SECONDS / first[-1], FEWEST_RUNS, MOST_RUNS))
            return first + [self._time_one() for _ in range(self._runs)]
        seconds = [self._time_one() for _ in range(self._runs)]
        if self._clock is not None:
            self.device_seconds = self._time_on_device(self._clock)
        return seconds

    def _time_one(self) -> float:
        began = time.perf_counter()
        self._segmenter.forward(self._batch)  # it returns arrays of the host, so the device is done then
        return time.perf_counter() - began

    def _time_on_device(self, clock: DeviceClock) -> list[float]:
        segmenter: TorchSegmenter = self._segmenter  # type: ignore[assignment] # what has a clock is torch's
        pictures = segmenter.to_device(self._batch)
        for _ in range(self._runs):
            clock.time(lambda: segmenter.infer(pictures))
        return clock.read()


def probe_network(segmenter: Segmenter, batch_size: int) -> NetworkProbe:
    """The probe of a model, with the device's own clock where torch runs it on CUDA."""
    clock = None
    if segmenter.backend.startswith("torch") and "cuda" in segmenter.backend:
        from lesionctl.runtime.torch_segmenter import TorchSegmenter

        clock = CudaClock(segmenter.compute.device) if isinstance(segmenter, TorchSegmenter) else None
    return NetworkProbe(segmenter, batch_size, clock)


def draw_batch(size: int, count: int) -> NDArray[np.uint8]:
    """Drawn pictures in a network's geometry.

    Args:
        size: Side of its square, in pixels.
        count: How many; from the ninth on they come again.

    Returns:
        uint8 `[count, size, size, 3]`, the same for the same arguments.
    """
    scenes = [replace(plan_scene(0, number), width=size, height=size) for number in range(min(count, _DRAWN))]
    drawn = np.stack([paint_scene(0, scene)[0] for scene in scenes])
    return drawn[np.arange(count) % len(drawn)]
