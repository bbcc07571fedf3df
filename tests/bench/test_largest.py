"""The largest batch that fits, of networks that take what they are told to, and the batch that is fast enough."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from lesionctl.bench import largest as module
from lesionctl.bench.largest import LargestBatch, Rung, batch_ladder, best_batch, forward_of, largest_batch
from lesionctl.runtime.segmenter import Segmenter

MB = 10**6


@pytest.fixture
def host(monkeypatch):
    """A function that makes a host with so many MB for a process, and a network that takes of them what it is told.

    It has `needs(batch)` MB while it runs, after `loading` MB for a moment before; what it ran is in its `ran`, and how
    often memory was given back in its `forgotten`.
    """

    def set_up(available, needs, loading=0, fails=lambda _: None):
        highest = [loading]

        def forward(batch):
            error = fails(batch)
            if error is not None:
                raise error
            forward.ran.append(batch)
            highest[0] = max(highest[0], needs(batch))

        forward.ran, forward.forgotten = [], []
        monkeypatch.setattr(module, "_forget", lambda: forward.forgotten.append(True))
        monkeypatch.setattr(module, "process_peak_mb", lambda: highest[0])
        monkeypatch.setattr(module, "memory_for_this_process", lambda: available and available * MB)
        return forward

    return set_up


def out_of_memory_above(most):
    return lambda batch: RuntimeError("CUDA out of memory. Tried to allocate 2 GiB") if batch > most else None


def test_on_the_cpu_a_line_through_two_batches_says_what_fits(host):
    forward = host(10_000, lambda batch: 500 + 10 * batch)
    found = largest_batch(forward, "cpu")
    assert found.batch == (9000 - 500) // 10
    assert found.reason == ("a picture takes 9.5 MB, measured up to batch 16, and this process may have 8.4 GB")
    assert forward.ran == [1, 2, 4, 8, 16]


def test_what_loading_hides_is_waited_for(host):
    forward = host(10_000, lambda batch: 500 + 10 * batch, loading=600)
    assert largest_batch(forward, "cpu").batch == 850
    assert forward.ran == [1, 2, 4, 8, 16, 32]  # 16 is the first that shows, and it shows a part only


def test_what_never_shows_counts_as_the_most_that_it_may_be(host):
    forward = host(10_000, lambda batch: 500 + 10 * batch, loading=2000)
    found = largest_batch(forward, "cpu")
    assert found.batch == 64 + int((9000 - 2000) / (2000 / 64))
    assert found.batch < 850
    assert found.reason.startswith("a picture takes at most 29.8 MB, measured up to batch 64")


def test_no_batch_is_run_that_might_be_killed(host):
    forward = host(1000, lambda batch: 100 + 150 * batch)
    assert largest_batch(forward, "cpu").batch == 5  # 850 MB of 900
    assert max(100 + 150 * batch for batch in forward.ran) <= 900


def test_where_one_more_picture_may_be_too_many_one_is_all(host):
    forward = host(1000, lambda batch: 500 * batch)
    assert largest_batch(forward, "cpu").batch == 1
    assert forward.ran == [1]


@pytest.mark.parametrize(("limit", "ran"), [(100, [1, 2, 4, 8, 16]), (2, [1, 2]), (3, [1, 2]), (1, [1])])
def test_on_the_cpu_the_search_ends_at_the_limit(host, limit, ran):
    forward = host(10_000, lambda batch: 500 + 10 * batch)
    assert largest_batch(forward, "cpu", limit) == LargestBatch(limit, "the search ends here")
    assert forward.ran == ran


@pytest.mark.parametrize(("available", "used"), [(None, 500), (10_000, 0)])
def test_where_the_system_does_not_say_only_what_was_tried_is_known(host, available, used):
    found = largest_batch(host(available, lambda _: used), "cpu")
    assert found == LargestBatch(64, "the largest that was tried: this system does not say how much memory there is")


def test_memory_that_the_cpu_refuses_is_known(host):
    forward = host(10_000, lambda _: 600, fails=lambda batch: MemoryError() if batch > 4 else None)
    assert largest_batch(forward, "cpu") == LargestBatch(4, "8: out of memory")


@pytest.mark.parametrize("most", [1, 2, 3, 8, 31, 32, 33, 48])
def test_small_batches_are_found_to_the_picture(host, most):
    forward = host(100_000, lambda _: 3000, fails=out_of_memory_above(most))
    assert largest_batch(forward, "cuda") == LargestBatch(most, f"{most + 1}: out of memory")


@pytest.mark.parametrize("most", [100, 777, 1000, 3000])
def test_large_ones_to_one_part_in_32_and_what_is_found_was_run(host, most):
    forward = host(100_000, lambda _: 3000, fails=out_of_memory_above(most))
    found = largest_batch(forward, "cuda").batch
    assert most * 31 / 32 - 1 <= found <= most
    assert found == max(forward.ran)
    assert forward.forgotten  # after each that did not fit


@pytest.mark.parametrize("limit", [1, 5, 64, 100, 4096])
def test_on_a_device_the_search_ends_at_the_limit(host, limit):
    forward = host(100_000, lambda _: 3000)
    assert largest_batch(forward, "cuda", limit) == LargestBatch(limit, "the search ends here")
    assert forward.ran[-1] == limit


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_where_not_even_one_picture_fits_it_is_none(host, device):
    forward = host(100_000, lambda _: 3000, fails=out_of_memory_above(0))
    assert largest_batch(forward, device) == LargestBatch(0, "1: out of memory")


def test_kernels_that_refuse_a_size_end_the_search_with_what_they_say(host):
    refusal = "upsample only supports tensors with less than INT_MAX elements"
    fails = lambda batch: RuntimeError(f"{refusal}\nat Upsample.cu") if batch >= 512 else None  # noqa: E731
    found = largest_batch(host(100_000, lambda _: 3000, fails=fails), "cuda")
    assert found.batch >= 496
    assert found.reason.endswith(f": {refusal}")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_one_picture_raises_for_another_reason_is_no_matter_of_batches(host, device):
    forward = host(100_000, lambda _: 3000, fails=lambda _: ValueError("no such input"))
    with pytest.raises(ValueError, match="no such input"):
        largest_batch(forward, device)


def test_a_device_with_more_memory_than_its_host_is_not_tried_beyond_the_hosts(host):
    forward = host(4000, lambda batch: 2000 + batch)
    found = largest_batch(forward, "cuda")
    assert 1500 < found.batch <= 1600  # 3600 MB
    assert found.reason.endswith(": more than the host's memory may hold")


def test_a_real_process_is_measured_and_not_killed():
    script = """
import numpy as np
from lesionctl.bench import largest
largest.memory_for_this_process = lambda: 10**10
def forward(batch):
    np.ones(batch * 20 * 10**6, np.uint8)
print(largest.largest_batch(forward, "cpu").batch)
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert 400 <= int(answer.stdout) <= 450  # 9 GB less what Python takes, by 20 MB


@pytest.fixture
def clock(monkeypatch):
    """A function that makes a network which takes so many seconds for a batch, by the clock that the module reads."""

    def set_up(seconds):
        now = [0.0]

        def forward(batch):
            forward.ran.append(batch)
            now[0] += seconds(batch)

        forward.ran = []
        monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
        return forward

    return set_up


def test_a_ladder_ends_where_two_doublings_gained_nothing(clock):
    ladder = batch_ladder(clock(lambda batch: 0.001 * max(batch, 8)), 4096)
    assert [rung.batch for rung in ladder] == [1, 2, 4, 8, 16, 32]
    assert [round(rung.images_per_second) for rung in ladder] == [125, 250, 500, 1000, 1000, 1000]


def test_a_ladder_does_not_go_beyond_its_limit_and_takes_turns(clock):
    forward = clock(lambda _: 1.0)
    ladder = batch_ladder(forward, 7, turns=3)
    assert ladder == [Rung(1, 1.0), Rung(2, 2.0), Rung(4, 4.0)]
    assert forward.ran == [1, 1, 2, 2, 4, 4, 1, 2, 4, 1, 2, 4]  # the first of each batch warms up


def test_a_quick_batch_is_repeated_for_as_long_as_a_turn_lasts(clock):
    forward = clock(lambda _: 0.0625)
    assert batch_ladder(forward, 1, turns=1, seconds=0.25) == [Rung(1, 16.0)]
    assert len(forward.ran) == 1 + 4


@pytest.mark.parametrize(
    ("speeds", "best"),
    [([10, 20, 30, 31, 30.5], 8), ([10, 20, 30.5, 31, 31], 4), ([10, 9, 8], 1), ([5], 1)],
)
def test_the_best_batch_is_the_smallest_within_3_percent_of_the_best(speeds, best):
    assert best_batch([Rung(2**power, speed) for power, speed in enumerate(speeds)]) == best


def test_a_segmenter_is_run_on_pictures_of_its_own_size(tiny_spec):
    class Keeps(Segmenter):
        spec, shapes = tiny_spec, []

        def forward(self, batch):
            self.shapes.append((batch.shape, batch.dtype))

    segmenter = Keeps()
    forward = forward_of(segmenter)
    for pictures in (4, 2, 8):
        forward(pictures)
    assert segmenter.shapes == [((pictures, 64, 64, 3), np.uint8) for pictures in (4, 2, 8)]
