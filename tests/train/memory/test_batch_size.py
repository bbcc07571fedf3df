"""The largest batch that fits: foreseen, tried out, and told to whom it did not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from lesionctl.errors import UsageError
from lesionctl.runtime.device import Compute
from lesionctl.runtime.precision import Precision
from lesionctl.train.memory import batch_size as memory
from lesionctl.train.memory.batch_size import BatchFit, largest_batch_size, out_of_memory

MB = 10**6
CPU = Compute(torch.device("cpu"), Precision.FP32)
GPU = Compute(torch.device("cuda"), Precision.BF16)


@pytest.fixture
def processor(monkeypatch):
    """A function that gives this process so many MB, where a step needs 300 MB and 100 MB for each picture."""

    def set_up(available):
        def peaks(options, spec, compute, sizes):
            return [(300 + 100 * size) * MB for size in sizes]

        monkeypatch.setattr(memory, "_peaks_in_new_process", peaks)
        monkeypatch.setattr(memory, "memory_for_this_process", lambda: available and available * MB)

    return set_up


@pytest.fixture
def gpu(monkeypatch):
    """A function that makes a GPU on which a step needs so many MB for each picture, and its trial says which ran."""

    def set_up(available, *, fits, per_picture=100):
        class Trial:
            ran: ClassVar = []

            def __init__(self, *_):
                self.ran.clear()

            def step_on_noise(self, pictures):
                if pictures > fits:
                    raise torch.OutOfMemoryError("CUDA out of memory")
                self.ran.append(pictures)

        needs = {2**power: per_picture * MB * 2**power for power in range(12)}
        monkeypatch.setattr(memory, "Trial", Trial)
        monkeypatch.setattr(memory, "_free_on_gpu", lambda _: available * MB)
        monkeypatch.setattr(memory, "_needs_on_gpu", lambda *_: needs)
        return Trial.ran

    return set_up


@pytest.mark.parametrize(
    ("available", "largest", "expected"),
    [
        (100_000, 16, 16),
        (100_000, 64, 64),
        (2200, 16, 16),  # 1900 MB are less than 90 % of it
        (2100, 16, 8),
        (1000, 16, 4),  # 700 MB
        (450, 16, 1),  # 400 MB
        (100_000, 20, 16),
        (100_000, 3, 2),
        (100_000, 1, 1),
    ],
)
def test_on_the_cpu_a_line_through_two_batches_says_what_fits(
    processor, tiny_options, tiny_spec, available, largest, expected
):
    processor(available)
    assert largest_batch_size(tiny_options, tiny_spec, CPU, largest).batch_size == expected


def test_what_fits_says_how_near_the_limit_it_is(processor, tiny_options, tiny_spec):
    processor(2200)
    fit = largest_batch_size(tiny_options, tiny_spec, CPU)
    assert (fit.batch_size, fit.needed, fit.available) == (16, 1900 * MB, 2200 * MB)
    assert fit.describe() == "needs 1.8 GB of 2.0 GB, measured"


def test_where_not_even_one_picture_fits_the_size_and_the_memory_are_named(processor, tiny_options, tiny_spec):
    processor(400)
    with pytest.raises(UsageError, match="does not fit into the 381 MB that there are, even with one picture of 64 px"):
        largest_batch_size(tiny_options, tiny_spec, CPU)


def test_where_the_system_does_not_say_what_there_is_the_useful_batch_is_taken(processor, tiny_options, tiny_spec):
    processor(None)
    assert largest_batch_size(tiny_options, tiny_spec, CPU) == BatchFit(16, None, None)


def test_a_process_of_its_own_measures_real_steps(tiny_options, tiny_spec):
    ballast = np.ones(1200 * MB, np.uint8)  # of this process, not of that one
    few, many = memory._peaks_in_new_process(tiny_options, replace(tiny_spec, size=128), CPU, (1, 8))
    assert 100 * MB < few < many < ballast.nbytes  # torch alone takes more than 100 MB


def test_on_a_gpu_what_is_foreseen_is_tried_out(gpu, tiny_options, tiny_spec):
    ran = gpu(10_000, fits=64)
    assert largest_batch_size(tiny_options, tiny_spec, GPU) == BatchFit(64, 6400 * MB, 10_000 * MB)
    assert ran == [64, 64]  # 128 need 12.8 GB and were not tried


def test_what_was_foreseen_to_fit_and_does_not_is_halved(gpu, tiny_options, tiny_spec):
    ran = gpu(100_000, fits=20)
    assert largest_batch_size(tiny_options, tiny_spec, GPU, 128).batch_size == 16
    assert ran == [16, 16]


def test_where_a_gpu_cannot_take_one_picture_nothing_fits(gpu, tiny_options, tiny_spec):
    gpu(100_000, fits=0)
    with pytest.raises(UsageError, match="even with one picture"):
        largest_batch_size(tiny_options, tiny_spec, GPU)


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "advice"),
    [
        (16, 1, "--batch-size 8 would fit (needs 1.0 GB of 2.0 GB, measured); with --accumulate 2 a step still"),
        (64, 2, "--batch-size 8 would fit (needs 1.0 GB of 2.0 GB, measured); with --accumulate 16 a step still"),
        (12, 1, "--batch-size 4 would fit (needs 668 MB of 2.0 GB, measured); with --accumulate 3 a step still"),
    ],
)
def test_who_ran_out_of_memory_hears_which_batch_would_fit(
    processor, tiny_options, tiny_spec, batch_size, accumulate, advice
):
    processor(2100)
    error = out_of_memory(replace(tiny_options, batch_size=batch_size, accumulate=accumulate), tiny_spec, CPU)
    assert str(error) == f"cpu has no memory left for --batch-size {batch_size} at 64 px"
    assert error.hint.startswith(advice)


@pytest.mark.parametrize(("batch_size", "available"), [(1, 2100), (16, 100)])
def test_where_no_batch_is_small_enough_the_size_and_the_encoder_are_left(
    processor, tiny_options, tiny_spec, batch_size, available
):
    processor(available)
    error = out_of_memory(replace(tiny_options, batch_size=batch_size), tiny_spec, CPU)
    assert error.hint == "a smaller --size or a smaller --encoder needs less"
