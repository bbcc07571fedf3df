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
from lesionctl.train.record import run_record


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


@pytest.fixture(scope="module", autouse=True)
def without_curves(request):
    """Trainings draw no curves, which takes a third of the time of a tiny one; what draws them is tested beside it."""
    with pytest.MonkeyPatch.context() as patch:
        if request.path.parent.name != "record":
            patch.setattr(run_record, "write_curves", lambda *_: None)
        yield


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


@contextmanager
def places_of_torchrun():
    """What torchrun puts into the environment of each process; it holds the store in which they meet."""
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
    agent = {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0", "TORCHELASTIC_RUN_ID": "none"}
    place |= {"LOCAL_WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    yield [{**place, **agent, "RANK": rank, "LOCAL_RANK": rank} for rank in ("0", "1")]


@contextmanager
def places_of_slurm():
    """What srun puts there, and a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    step = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NODELIST": "localhost"}
    step |= {"SLURM_STEP_TASKS_PER_NODE": "2", "SLURM_NODEID": "0", "SLURM_CPUS_ON_NODE": "8"}
    yield [{**step, "SLURM_PROCID": rank, "SLURM_LOCALID": rank, "MASTER_PORT": port} for rank in ("0", "1")]


@pytest.fixture(scope="session")
def two_processes(warm_program):
    """A context in which a test file runs as a program twice, started as by one of the launchers; both then end."""

    def start_one(file, arguments, environ):
        if warm_program is not None:
            return warm_program.start(arguments, environ, file=file)
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, file, *arguments], env=environ, stdout=pipe, stderr=pipe, text=True)

    @contextmanager
    def start(file, *arguments, launcher="torchrun"):
        started = []
        with {"torchrun": places_of_torchrun, "slurm": places_of_slurm}[launcher]() as places:
            try:
                for place in places:
                    started.append(start_one(file, list(map(str, arguments)), {**os.environ, **place}))
                yield started
            finally:
                for process in started:
                    process.kill()
                    process.communicate()

    return start
