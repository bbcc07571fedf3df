"""Helpers for trainings that are stopped, changed and compared."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

import pytest
import safetensors.torch
import torch

from lesionctl.errors import Interrupted
from lesionctl.progress import Silent
from lesionctl.train.loop import train


class StopAfter(Silent):
    """A listener that sends this process a signal once so many steps are done, as a batch system would."""

    def __init__(self, steps, number=signal.SIGTERM):
        self.left = steps
        self.number = number
        self.said = []

    @contextmanager
    def task(self, description, total=None):
        yield self

    def advance(self, steps=1):
        self.left -= steps
        if self.left == 0:
            os.kill(os.getpid(), self.number)

    def note(self, text):
        return

    def say(self, message):
        self.said.append(message)


@pytest.fixture(scope="session")
def stop_after():
    """The class of listeners that stop a training."""
    return StopAfter


@pytest.fixture(scope="session")
def interrupt():
    """A function that trains until a signal comes after so many steps, and returns what was raised."""

    def run(store_path, out, options, steps):
        with pytest.raises(Interrupted) as caught:
            train(store_path, out, options, progress=StopAfter(steps))
        return caught.value

    return run


@pytest.fixture(scope="session")
def same_weights():
    """A function that says whether two model files hold the same weights to the bit."""

    def compare(one, other):
        ours, theirs = safetensors.torch.load_file(one), safetensors.torch.load_file(other)
        return list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)

    return compare
