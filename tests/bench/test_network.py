from __future__ import annotations

import numpy as np
import pytest

from lesionctl.bench import network
from lesionctl.bench.network import FEWEST_RUNS, MOST_RUNS, NetworkProbe, draw_batch, probe_network
from lesionctl.runtime.load import load_segmenter


class Spec:
    size = 32


class CountingSegmenter:
    """Says how often it was run, and on what."""

    spec = Spec()
    backend = "torch fp32 cuda"

    def __init__(self):
        self.batches = []
        self.on_device = 0

    def forward(self, batch):
        self.batches.append(batch)
        return batch[..., 0] / np.float32(255)

    def to_device(self, batch):
        return batch

    def infer(self, pictures):
        self.on_device += 1


class CountingClock:
    """A device on which everything takes 2 ms."""

    def __init__(self):
        self.marks = 0

    def time(self, work):
        work()
        self.marks += 1

    def read(self):
        seconds, self.marks = [0.002] * self.marks, 0
        return seconds


@pytest.fixture
def segmenter():
    return CountingSegmenter()


def test_every_turn_has_as_many_runs_of_full_batches(segmenter):
    probe = NetworkProbe(segmenter, 10)
    warm, *turns = [probe.run() for _ in range(3)]
    assert len(warm) > len(turns[0]) == len(turns[1])
    assert FEWEST_RUNS <= len(turns[0]) <= MOST_RUNS
    assert probe.images == 10
    assert {batch.shape for batch in segmenter.batches} == {(10, 32, 32, 3)}
    assert probe.device_seconds == []


def test_a_slow_network_has_few_runs_and_a_fast_one_no_end_of_them(segmenter, monkeypatch):
    for seconds, expected in ((10.0, FEWEST_RUNS), (0.05, 10), (1e-6, MOST_RUNS)):
        moments = iter(range(10_000))
        monkeypatch.setattr(network.time, "perf_counter", lambda moments=moments, s=seconds: s * next(moments))
        probe = NetworkProbe(segmenter, 1)
        probe.run()
        assert probe.run() == pytest.approx([seconds] * expected)


def test_a_device_with_a_clock_of_its_own_is_timed_by_it_too(segmenter):
    probe = NetworkProbe(segmenter, 2, CountingClock())
    probe.run()
    assert (probe.device_seconds, segmenter.on_device) == ([], 0)  # the turn that warms up is the host's
    runs = len(probe.run())
    assert probe.device_seconds == [0.002] * runs
    assert segmenter.on_device == runs
    probe.run()
    assert len(probe.device_seconds) == runs  # of the last turn alone


def test_on_the_host_there_is_no_clock_of_a_device(model_file):
    probe = probe_network(load_segmenter(str(model_file), "cpu"), 2)
    assert all(seconds > 0 for seconds in probe.run())
    assert probe.device_seconds == []


def test_pictures_are_the_same_each_time_and_repeat_in_a_large_batch():
    batch = draw_batch(48, 10)
    assert (batch.shape, batch.dtype) == ((10, 48, 48, 3), np.uint8)
    assert np.array_equal(batch[8:], batch[:2])
    assert np.array_equal(batch, draw_batch(48, 10))
    assert not np.array_equal(batch[0], batch[1])
