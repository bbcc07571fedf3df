"""The machine's peak: figures from runs of known length, what is restored afterwards, and a model's share of it."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch

from lesionctl.bench import peak as module
from lesionctl.bench.peak import Peak, Share, measure_peak, share
from lesionctl.bench.work import Work
from lesionctl.runtime.precision import Precision

WORK = Work(parameters=1000, multiply_adds=5_000_000, moved=200_000, moved_once=800_000, file_bytes=None)
PEAK = Peak(operations_per_second=1e9, bytes_per_second=1e8, bytes_per_number=4, how="")


@pytest.fixture
def runs(monkeypatch):
    """A function that lets each run take as many seconds as one of these says, by what it works on."""

    def set_up(seconds_of):
        def fastest(work, device, seconds):
            result = work()
            return seconds_of(result)

        monkeypatch.setattr(module, "_fastest", fastest)
        monkeypatch.setattr(module, "_COPIED", {"cpu": 2**20})
        monkeypatch.setattr(module, "_SIDES", {"cpu": (16, 32, 64)})

    return set_up


def test_a_product_counts_two_operations_for_each_term_and_a_copy_what_it_reads_and_writes(runs):
    runs(lambda _: 0.001)
    peak = measure_peak("cpu", Precision.FP32, 1)
    assert peak == Peak(
        operations_per_second=pytest.approx(2 * 64**3 / 0.001),
        bytes_per_second=pytest.approx(2 * 2**20 / 0.001),
        bytes_per_number=4,
        how="64×64 matrix product in fp32, copy of 1 MB; torch on 1 thread",
    )


def test_the_size_that_is_fastest_counts(runs):
    runs(lambda result: {16: 1e-3, 32: 1e-6, 64: 1e-3}.get(result.shape[-1], 1.0))
    peak = measure_peak("cpu", Precision.FP32, 1)
    assert peak.operations_per_second == pytest.approx(2 * 32**3 / 1e-6)
    assert peak.how.startswith("32×32 matrix product")


def test_a_slow_processor_is_spared_the_larger_sizes(runs):
    sides = []

    def seconds_of(result):
        sides.append(result.shape[-1])
        return 1.0

    runs(seconds_of)
    measure_peak("cpu", Precision.FP32, 1)
    assert sides == [16, 2**20]  # the product, the copy


@pytest.mark.parametrize(
    ("faster", "named"), [(torch.bfloat16, "matrix product in bf16"), (torch.float32, "matrix product in fp32")]
)
def test_a_processor_that_does_not_multiply_bfloat16_is_measured_in_float32(runs, faster, named):
    runs(lambda result: 0.001 if result.dtype is faster else 0.002)
    peak = measure_peak("cpu", Precision.BF16, 2)
    assert peak.operations_per_second == pytest.approx(2 * 64**3 / 0.001)
    assert named in peak.how
    assert peak.how.endswith("torch on 2 threads")
    assert peak.bytes_per_number == 2


@pytest.mark.parametrize(
    ("device", "precision", "formats"),
    [
        ("cuda", Precision.FP32, ["fp32", "tf32"]),
        ("cuda:1", Precision.BF16, ["bf16"]),
        ("mps", Precision.FP16, ["fp16"]),
        ("cpu", Precision.FP16, ["fp16", "fp32"]),
        ("cpu", Precision.FP32, ["fp32"]),
    ],
)
def test_of_the_formats_that_a_device_may_multiply_in_the_fastest_counts(device, precision, formats):
    assert module._formats(torch.device(device), precision) == formats


def test_tf32_is_allowed_for_its_own_product_alone():
    before = torch.get_float32_matmul_precision()
    with module._float32_as("tf32"):
        assert torch.get_float32_matmul_precision() == "high"
        with module._float32_as("fp32"):
            assert torch.get_float32_matmul_precision() == "highest"
    assert torch.get_float32_matmul_precision() == before


def test_torch_has_its_threads_back_afterwards(runs):
    seen = []
    runs(lambda _: seen.append(torch.get_num_threads()) or 0.001)
    before = torch.get_num_threads()
    measure_peak("cpu", Precision.FP32, before + 1)
    assert set(seen) == {before + 1}
    assert torch.get_num_threads() == before


def test_the_copy_takes_no_more_than_an_eighth_of_what_is_free(runs, monkeypatch):
    runs(lambda _: 0.001)
    monkeypatch.setattr(module, "memory_for_this_process", lambda: 2**20)
    assert measure_peak("cpu", Precision.FP32, 1).bytes_per_second == pytest.approx(2 * 2**17 / 0.001)


def test_a_real_run_gives_figures(monkeypatch):
    monkeypatch.setattr(module, "_COPIED", {"cpu": 2**20})
    peak = measure_peak("cpu", Precision.BF16, 1, seconds=0.01)
    assert peak.operations_per_second > 0
    assert peak.bytes_per_second > 0
    assert peak.to_dict().keys() == {"operations_per_second", "bytes_per_second", "bytes_per_number", "how"}


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_where_torch_cannot_compute_nothing_is_measured_and_it_says_so(device):
    peak = measure_peak(device, Precision.FP32, 1)
    assert (peak.operations_per_second, peak.bytes_per_second) == (None, None)
    assert peak.how == f"torch {torch.__version__} cannot compute on '{device}'"
    assert share(10, WORK, peak) == Share(None, None)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Share(0.1, 0.4)),  # 10 per s × 2 × 5e6 of 1e9; 10 × (200_000 + 800_000) × 4 bytes of 1e8
        ({"batch_size": 8}, Share(0.1, 0.12)),  # 10 × (200_000 + 100_000) × 4
        ({"training": True}, Share(0.3, None)),
    ],
)
def test_the_share_of_the_peak_is_that_of_operations_and_of_bytes(options, expected):
    found = share(10, WORK, PEAK, **options)
    assert found.of_operations == pytest.approx(expected.of_operations)
    assert found.of_bandwidth == (expected.of_bandwidth and pytest.approx(expected.of_bandwidth))


def test_numbers_of_two_bytes_take_half_the_bandwidth():
    halves = Peak(1e9, 1e8, 2, "")
    assert share(10, WORK, halves).to_dict() == {"of_operations": 0.1, "of_bandwidth": pytest.approx(0.2)}


def test_on_one_of_several_gpus_it_is_the_current_one_whose_events_are_recorded(monkeypatch):
    current = []

    @contextmanager
    def device(there):
        current.append(str(there))
        yield
        current.pop()

    monkeypatch.setattr(torch, "empty", lambda *_, **__: None)
    monkeypatch.setattr(torch.cuda, "device", device)
    monkeypatch.setattr(module, "_product", lambda *_: (16, 1.0 if current == ["cuda:1"] else 0.0))
    monkeypatch.setattr(module, "_copy", lambda *_: (16, 1.0 if current == ["cuda:1"] else 0.0))
    peak = measure_peak("cuda:1", Precision.BF16, 1)
    assert (peak.operations_per_second, peak.bytes_per_second) == (1.0, 1.0)
