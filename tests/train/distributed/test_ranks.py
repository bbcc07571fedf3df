"""Two processes agree, and notice when one of them is gone. Run as a program, this file is one of the two."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest
import torch
from torch import nn

from lesionctl.errors import Interrupted, LesionctlError, UsageError
from lesionctl.runtime.device import Compute, choose_compute
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.threads import available_cpus
from lesionctl.train.distributed import heartbeat
from lesionctl.train.distributed.ranks import Ranks, join_ranks

CPU = Compute(torch.device("cpu"), Precision.FP32)


def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def kill_self(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def collectives(ranks):
    say(ranks.any(ranks.rank == 1), ranks.any(False))
    say(ranks.gather({"rank": ranks.rank}))
    say(ranks.mean(ranks.rank + 0.5))
    if not ranks.first:
        kill_self()
    ranks.any(False)


def backward(ranks):
    net = nn.Linear(2, 2)
    wrapped = ranks.wrap(net, CPU)
    with ranks.paused(wrapped):
        wrapped(torch.full((1, 2), ranks.rank + 1.0)).sum().backward()
    say(net.weight.grad[0, 0].item())
    net.zero_grad()
    wrapped(torch.full((1, 2), ranks.rank + 1.0)).sum().backward()
    say(net.weight.grad[0, 0].item())
    y = wrapped(torch.ones(1, 2))
    if not ranks.first:
        y.register_hook(kill_self)
    y.sum().backward()


def fails(ranks):
    if not ranks.first:
        raise UsageError("not here")
    ranks.mean(1.0)


def frozen(ranks):
    if not ranks.first:
        os.kill(os.getpid(), signal.SIGSTOP)
    ranks.barrier()


def interrupted(ranks):
    if ranks.first:
        time.sleep(1)  # writes the state
        say("saved")
    raise Interrupted("stopped")


def share_processors(ranks):
    """Both have the mask of all eight processors, and nobody has said how many each may use."""
    os.sched_getaffinity = lambda _: set(range(8))
    del os.environ["SLURM_CPUS_PER_TASK"]
    if "RANK" not in os.environ:
        del os.environ["OMP_NUM_THREADS"]  # srun sets none, and torchrun 1
    choose_compute("cpu")
    say(ranks.gather((available_cpus(), torch.get_num_threads())))


def work(plan):
    torch.set_num_threads(1)
    heartbeat.BEAT, heartbeat.MISSED, heartbeat.GRACE = 0.1, 20, 0.2
    for scenario in plan:
        try:
            with join_ranks() as ranks:
                globals()[scenario](ranks)
        except LesionctlError as error:
            say(type(error).__name__, error.what)
        say("end of", scenario)


@pytest.fixture(scope="module")
def run_two(two_processes):
    """A function that runs scenarios; what each process said, and what the first exited with and logged."""

    def run(*scenarios, launcher="torchrun"):
        names = (scenario.__name__ for scenario in scenarios)
        with two_processes(__file__, *names, launcher=launcher) as started:
            first, other = started
            said, logged = first.communicate(timeout=120)
            other.kill()
            return said.splitlines(), other.communicate()[0].splitlines(), first.returncode, logged

    return run


@pytest.fixture(scope="module")
def said(run_two):
    """What the first and the other process say of two trainings, the last of which kills the other."""
    first, other, code, _ = run_two(interrupted, collectives)
    assert code == 0
    return first, other


GONE = f"LesionctlError {heartbeat.PEER_LOST}"


def test_no_process_leaves_before_the_state_is_saved(said):
    first, other = said
    assert first[:3] == ["saved", "Interrupted stopped", "end of interrupted"]
    assert other[:2] == ["Interrupted stopped", "end of interrupted"]


def test_where_one_process_fails_the_others_stop_too(run_two):
    first, other, code, _ = run_two(fails)
    assert first == [GONE, "end of fails"]
    assert other == ["UsageError not here", "end of fails"]
    assert code == 0


def test_processes_agree_and_one_that_is_killed_is_noticed_by_those_that_wait(said):
    first, other = said
    agreed = ["True False", "[{'rank': 0}, {'rank': 1}]", "1.0"]  # the mean of 0.5 and 1.5
    assert first[3:] == [*agreed, GONE, "end of collectives"]
    assert other[2:] == agreed


def test_gradients_are_averaged_unless_paused_and_a_death_is_noticed_in_the_backward_pass(run_two):
    first, other, code, _ = run_two(backward)
    assert first == ["1.0", "1.5", GONE, "end of backward"]  # its own, then the mean of 1 and 2
    assert other == ["2.0", "1.5"]
    assert code == 0


def test_a_process_that_waits_for_a_frozen_one_is_ended(run_two):
    first, _, code, logged = run_two(frozen)
    assert first == []
    assert code == 1
    assert heartbeat.PEER_LOST in logged


@pytest.mark.parametrize("launcher", ["torchrun", "slurm"])
def test_two_processes_share_the_processors_of_their_machine(run_two, launcher):
    first, _, code, logged = run_two(share_processors, launcher=launcher)
    assert first == ["[(4, 4), (4, 4)]", "end of share_processors"]
    assert code == 0, logged


def test_a_world_of_one_needs_nobody(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("SLURM_STEP_ID", raising=False)
    net = nn.Linear(1, 1)
    with join_ranks() as ranks:
        assert ranks == Ranks(rank=0, world=1, local_rank=0)
        assert ranks.first
        assert ranks.device("auto") == "auto"
        assert ranks.wrap(net, CPU) is net
        with ranks.paused(net):
            assert ranks.any(True)
        assert not ranks.any(False)
        assert ranks.mean(0.3) == 0.3
        assert ranks.gather("a") == ["a"]
        ranks.barrier()
        assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(
    ("asked", "gpus", "device"),
    [
        ("auto", 0, "cpu"),
        ("cpu", 4, "cpu"),
        ("auto", 4, "cuda:3"),
        ("cuda", 4, "cuda:3"),
        ("cuda", 1, "cuda:0"),  # the launcher shows each process its own
        ("cuda", 0, "cuda"),
    ],
)
def test_each_process_takes_its_own_gpu(monkeypatch, asked, gpus, device):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert Ranks(rank=7, world=8, local_rank=3).device(asked) == device


@pytest.mark.parametrize("asked", ["cuda:0", "mps"])
def test_a_device_for_one_is_refused_to_several(asked):
    with pytest.raises(UsageError, match="2 processes cannot work together"):
        Ranks(rank=0, world=2).device(asked)


if __name__ == "__main__":
    work(sys.argv[1:])
