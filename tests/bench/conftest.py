"""Rows that nobody had to measure."""

from __future__ import annotations

import pickle
from contextlib import contextmanager

import pytest

from lesionctl.bench.case import Case, What
from lesionctl.bench.process import CaseFailed
from lesionctl.bench.relay import Relay, Teller
from lesionctl.bench.result import Row
from lesionctl.bench.worker import Refusal, Worker, _answer
from lesionctl.progress import Silent
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.precision import Precision


@pytest.fixture
def make_row():
    """A function that makes a row of which only some fields matter: four turns of two runs of half a second."""

    def make(**fields):
        case = Case(What.NETWORK, "tiny", Backend.TORCH, Precision.FP32, "cpu", batch_size=2)
        known = {"runs_on": "torch fp32 cpu", "images": 2, "turns": ((0.5, 0.5),) * 4, "memory_mb": 300.0}
        return Row(**{"case": case, **known, **fields})

    return make


class Listener(Silent):
    """Keeps what it hears."""

    def __init__(self):
        self.said, self.tasks = [], []

    def say(self, message):
        self.said.append(message)

    @contextmanager
    def task(self, description, total=None, **_):
        self.tasks.append(task := HeardTask(description, total))
        assert sum(task.is_open for task in self.tasks) == 1, "a terminal has one bar at a time"
        yield task
        task.is_open = False


class HeardTask:
    def __init__(self, description, total):
        self.description, self.total, self.done, self.notes, self.is_open = description, total, 0, [], True

    def advance(self, steps=1):
        self.done += steps

    def note(self, text):
        self.notes.append(text)


@pytest.fixture(scope="module")
def make_listener():
    """Makes one who listens; `said` are the lines, `tasks` the pieces of work with `done` and `notes`."""
    return Listener


@pytest.fixture
def listener():
    """One who listens."""
    return Listener()


class SameProcess:
    """Stands in for a CaseProcess: the same answers from this process, without the seconds that a start takes."""

    def __init__(self, assignment, scratch):
        self.began, self._relay = 0.0, None
        self._worker = Worker(assignment, Teller(lambda news: self._relay.pass_on(pickle.loads(pickle.dumps(news)))))

    def ask(self, name, *arguments, progress=None, about=""):
        with Relay(progress or Silent(), about) as self._relay:
            answer = _answer(getattr(self._worker, name), arguments)
        if isinstance(answer, Refusal):
            raise CaseFailed(answer)
        return pickle.loads(pickle.dumps(answer))

    def end(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.fixture(scope="module")
def in_this_process():
    """Lets `bench` run each case in this process, in short turns."""
    from lesionctl.bench import bench, network, peak, training

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "CaseProcess", SameProcess)
        patch.setattr(network, "TURN_SECONDS", 0.0)
        patch.setattr(training, "_TURN", 0.0)
        patch.setattr(peak, "_SIDES", {"cpu": (512,)})
        patch.setattr(peak, "_COPIED", {"cpu": 2**22})
        yield
