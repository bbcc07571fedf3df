from __future__ import annotations

import itertools
import time

import pytest
import torch

from lesionctl.bench import training
from lesionctl.bench.training import TrainSteps, measure_feed
from lesionctl.runtime.device import Compute
from lesionctl.runtime.precision import Precision

CPU = Compute(torch.device("cpu"), Precision.FP32)
GPU = Compute(torch.device("cuda"), Precision.BF16)


@pytest.fixture
def short_turns(monkeypatch):
    monkeypatch.setattr(training, "_TURN", 0.0)  # two steps


@pytest.fixture
def trials(monkeypatch):
    """The trials that are made."""
    made = []

    class Kept(training.Trial):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            made.append(self)

    monkeypatch.setattr(training, "Trial", Kept)
    return made


@pytest.mark.usefixtures("short_turns")
def test_a_turn_is_always_as_many_steps_which_train_the_network(tiny_spec, trials):
    probe = TrainSteps(tiny_spec, CPU, 3)
    assert probe.images == 3
    first = probe.run()
    before = [weights.detach().clone() for weights in trials[0].net.parameters()]
    again = probe.run()
    assert (len(first), len(again)) == (3 + 2, 2)  # three warm up
    assert min(first + again) > 0
    pairs = list(zip(before, trials[0].net.parameters(), strict=True))
    assert not any(torch.equal(one, other) for one, other in pairs if one.ndim == 4)


@pytest.mark.parametrize(("seconds", "steps"), [(0.001, 64), (0.1, 8), (0.3, 3), (30.0, 2)])
def test_a_turn_takes_most_of_a_second_where_steps_are_neither_very_fast_nor_very_slow(seconds, steps):
    assert training._steps_of_a_turn(seconds) == steps


@pytest.mark.usefixtures("short_turns")
def test_a_gpu_times_its_steps_itself(tiny_spec, monkeypatch):
    clock = itertools.count(0, 250)  # milliseconds; a step ends every quarter of a second

    class Event:
        def __init__(self, *, enable_timing):
            assert enable_timing

        def record(self):
            self.at = next(clock)

        def synchronize(self):
            self.waited = True

        def elapsed_time(self, end):
            return end.at - self.at

    probe = TrainSteps(tiny_spec, CPU, 1)
    probe.run()
    probe._compute = GPU
    monkeypatch.setattr(torch.cuda, "Event", Event)
    assert probe.run() == [0.25, 0.25]


def test_varying_pictures_is_spread_over_all_processors(monkeypatch):
    clock = itertools.count(10, 4)
    monkeypatch.setattr(time, "thread_time", lambda: next(clock))
    monkeypatch.setattr(training, "available_cpus", lambda: 3)
    assert measure_feed(32) == 3 * 32 / 4
