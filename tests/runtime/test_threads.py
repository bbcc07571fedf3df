"""Processors that were granted, and work that is spread over threads in order and in bounded memory."""

from __future__ import annotations

import os
import threading
import time

import pytest

from lesionctl.runtime.threads import available_cpus, parallel_map, threads_are_chosen


@pytest.mark.parametrize(
    ("affinity", "slurm", "expected"),
    [
        (8, None, 8),
        (8, "4", 4),
        (2, "16", 2),  # SLURM counts what was asked for; the affinity mask is what can be used
        (8, "", 8),
        (8, "0", 1),
        (8, "many", 8),
    ],
)
def test_cpus_are_those_of_the_affinity_mask_bounded_by_slurm(monkeypatch, affinity, slurm, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(affinity)))
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    if slurm is None:
        monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    else:
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", slurm)
    assert available_cpus() == expected


def test_cpus_of_a_system_without_affinity_masks(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    assert available_cpus() == 10


@pytest.mark.parametrize(("quota", "expected"), [(None, 8), (0.5, 1), (2.0, 2), (2.5, 3), (100.0, 8)])
def test_cpus_are_bounded_by_the_quota_of_a_container(monkeypatch, quota, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    monkeypatch.setattr("lesionctl.runtime.threads._quota", lambda: quota)
    assert available_cpus() == expected


STEP = {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_TASKS_PER_NODE": "4", "SLURM_NODEID": "0"}
STEP_OF_16 = {**STEP, "SLURM_CPUS_ON_NODE": "16"}
TORCHRUN = {"LOCAL_WORLD_SIZE": "4"}


@pytest.mark.parametrize(
    ("environ", "own", "of_launcher", "expected"),
    [
        # srun
        (STEP_OF_16, 16, 16, 4),  # all tasks have the mask of the step
        (STEP_OF_16, 64, 64, 4),  # nothing confines them
        (STEP_OF_16, 4, 16, 4),  # each is bound: not divided again
        (STEP_OF_16, 4, 4, 4),  # each is bound, and a shell script of the task starts the program
        (STEP_OF_16, 1, 16, 1),  # each is bound to a core, as clusters may be set up
        ({**STEP_OF_16, "SLURM_CPUS_PER_TASK": "2"}, 16, 16, 2),
        ({**STEP_OF_16, "SLURM_CPUS_PER_TASK": "4"}, 4, 16, 4),
        ({**STEP_OF_16, "SLURM_STEP_TASKS_PER_NODE": "1(x4)"}, 16, 16, 16),
        ({**STEP, "SLURM_CPUS_ON_NODE": "2"}, 2, 2, 1),  # more tasks than processors
        # a batch script, and salloc's shell
        ({"SLURM_TASKS_PER_NODE": "4", "SLURM_CPUS_ON_NODE": "16"}, 16, 16, 16),
        ({**STEP_OF_16, "SLURM_STEP_ID": "4294967290"}, 16, 16, 16),
        # torchrun
        (TORCHRUN, 16, 16, 4),
        (TORCHRUN, 8, 16, 4),  # --numa-binding=node: two processes have the same half
        (TORCHRUN, 4, 16, 4),  # --numa-binding=exclusive: not divided again
        ({"LOCAL_WORLD_SIZE": "1"}, 16, 16, 16),
        ({**TORCHRUN, "SLURM_CPUS_PER_TASK": "8", "SLURM_CPUS_ON_NODE": "32"}, 32, 32, 8),  # in a batch script
        # torchrun in the one task that a step has here, which asked for 16 processors
        ({**STEP_OF_16, **TORCHRUN, "SLURM_STEP_TASKS_PER_NODE": "1(x4)", "SLURM_CPUS_PER_TASK": "16"}, 16, 16, 4),
        ({**STEP_OF_16, **TORCHRUN, "SLURM_STEP_TASKS_PER_NODE": "1(x4)", "SLURM_CPUS_PER_TASK": "16"}, 64, 64, 4),
        # torchrun's variables, set by a person in each task, which is bound with the shell that sets them
        ({**STEP_OF_16, **TORCHRUN}, 4, 4, 4),
    ],
)
def test_processes_of_one_machine_have_equal_shares_and_a_mask_of_their_own_is_not_divided(
    monkeypatch, environ, own, of_launcher, expected
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(of_launcher if process else own)))
    monkeypatch.setattr("lesionctl.runtime.threads._quota", lambda: None)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert available_cpus() == expected


def test_processes_of_a_system_without_affinity_masks_share_the_machine(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.delenv("SLURM_CPUS_PER_TASK")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    assert available_cpus() == 2


@pytest.mark.parametrize(("quota", "expected"), [(8.0, 2), (6.0, 2), (2.0, 1), (100.0, 4)])
def test_processes_of_a_container_share_its_quota(monkeypatch, quota, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    monkeypatch.setattr("lesionctl.runtime.threads._quota", lambda: quota)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert available_cpus() == expected


@pytest.mark.parametrize("launcher", ["torchrun", "a person"])
@pytest.mark.parametrize(
    ("threads", "processes", "by_person", "by_torchrun"),
    [
        (None, "4", False, False),
        ("1", "4", True, False),  # torchrun's own
        ("1", "1", True, True),  # for one process, torchrun sets nothing
        ("2", "4", True, True),
    ],
)
def test_one_thread_is_not_taken_for_a_choice_where_torchrun_sets_it(
    monkeypatch, launcher, threads, processes, by_person, by_torchrun
):
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
    if threads is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
    if launcher == "torchrun":
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert threads_are_chosen() is (by_torchrun if launcher == "torchrun" else by_person)


@pytest.mark.parametrize("workers", [1, 2, 5, None])
@pytest.mark.parametrize("count", [0, 1, 3, 50])
def test_results_come_in_order(workers, count):
    def slow_at_even(number):
        time.sleep(0.001 * (number % 2 == 0))
        return number * number

    assert list(parallel_map(slow_at_even, range(count), workers)) == [n * n for n in range(count)]


def test_items_are_read_lazily_and_few_wait():
    read = []

    def items():
        for number in range(100):
            read.append(number)
            yield number

    results = parallel_map(str, items(), workers=2)
    assert read == []
    for number in range(10):
        assert next(results) == str(number)
        assert len(read) <= number + 1 + 2 * 2
    results.close()
    assert len(read) <= 14


def test_work_is_done_by_several_threads_at_once():
    barrier = threading.Barrier(3, timeout=30)
    assert len(set(parallel_map(lambda _: (barrier.wait(), threading.get_ident())[1], range(3), workers=3))) == 3


def test_error_of_an_item_arrives_in_its_turn():
    def fail_at_three(number):
        if number == 3:
            raise ValueError("three")
        return number

    results = parallel_map(fail_at_three, range(100), workers=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


def test_work_that_nobody_waits_for_is_not_begun():
    release, begun = threading.Event(), []

    def wait(number):
        begun.append(number)
        if number:
            release.wait(30)
        return number

    results = parallel_map(wait, range(100), workers=1)
    assert next(results) == 0
    threading.Timer(0.05, release.set).start()
    results.close()
    assert begun in ([0], [0, 1])


def test_error_of_the_items_arrives():
    def items():
        yield 1
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        list(parallel_map(str, items(), workers=2))
