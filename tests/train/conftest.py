"""Helpers for trainings that are stopped, changed and compared, and for those of two processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
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


def port_of_nobody():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def place_of_torchrun(rank):
    return {"RANK": rank, "WORLD_SIZE": "2", "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1"}


def place_of_slurm(rank):
    step = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NODELIST": "localhost"}
    return {**step, "SLURM_PROCID": rank, "SLURM_LOCALID": rank}


@pytest.fixture(scope="session")
def free_port():
    """A function that finds a port at which two processes can meet."""
    return port_of_nobody


@pytest.fixture(scope="session")
def two_processes():
    """A context in which a test file runs as a program twice, started as one of these launchers would; both then end."""

    @contextmanager
    def start(file, *arguments, launcher="torchrun"):
        place = {"torchrun": place_of_torchrun, "slurm": place_of_slurm}[launcher]
        port, command, started = port_of_nobody(), [sys.executable, file, *map(str, arguments)], []
        try:
            for rank in ("0", "1"):
                environ = {**os.environ, **place(rank), "MASTER_PORT": port}
                pipe = subprocess.PIPE
                started.append(subprocess.Popen(command, env=environ, stdout=pipe, stderr=pipe, text=True))
            yield started
        finally:
            for process in started:
                process.kill()
                process.communicate()

    return start
