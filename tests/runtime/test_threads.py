"""Processors that were granted, and work that is spread over threads in order and in bounded memory."""

from __future__ import annotations

import os
import threading
import time

import pytest

from lesionctl.runtime.threads import available_cpus, parallel_map


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
