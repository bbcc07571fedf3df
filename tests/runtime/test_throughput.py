"""How fast networks are: they take turns, on the same pictures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import UNetSpec
from lesionctl.runtime import throughput
from lesionctl.runtime.segmenter import Segmenter
from lesionctl.runtime.throughput import images_per_second


class Recorder(Segmenter):
    """Writes down the batches that it is shown, and takes as long as it is told."""

    backend = "none"
    parameters = 0

    def __init__(self, name, size, log, clock, seconds) -> None:
        self.spec = ModelSpec(UNetSpec("none"), size, (0.5,) * 3, (0.5,) * 3, name=name)
        self._log, self._clock, self._seconds = log, clock, itertools.cycle(seconds)

    def forward(self, batch):
        self._log.append((self.spec.name, batch.shape))
        self._clock[0] += next(self._seconds)
        return np.zeros(batch.shape[:3], np.float32)


@pytest.fixture
def clock(monkeypatch):
    """The time, which only networks pass."""
    now = [0.0]
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: now[0])
    return now


def test_models_take_turns_and_the_first_turn_does_not_count(clock):
    log = []
    fast = Recorder("fast", 32, log, clock, [100.0, 2.0, 2.0, 2.0])  # the first warms up
    slow = Recorder("slow", 64, log, clock, [4.0, 4.0, 400.0, 4.0])  # one turn was disturbed
    views = [np.zeros((50, 70, 3), np.uint8)] * 3
    assert images_per_second([fast, slow], views, batch_size=8, turns=3) == [4.0, 2.0]  # 8 / 2 s and 8 / 4 s
    assert log == [("fast", (8, 32, 32, 3)), ("slow", (8, 64, 64, 3))] * 4


def test_fewer_pictures_than_a_batch_are_repeated_and_more_are_not_looked_at(clock):
    seen = []

    class Keeper(Recorder):
        def forward(self, batch):
            seen.append(batch[:, 0, 0, 0].tolist())
            return super().forward(batch)

    views = [np.full((8, 8, 3), shade, np.uint8) for shade in (10, 20, 30)]
    images_per_second([Keeper("k", 8, [], clock, [1.0])], views, batch_size=5, turns=1)
    images_per_second([Keeper("k", 8, [], clock, [1.0])], views, batch_size=2, turns=1)
    assert seen == [[10, 20, 30, 10, 20]] * 2 + [[10, 20]] * 2
