from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lesionctl.bench.case import Case, What
from lesionctl.bench.largest import forward_of
from lesionctl.bench.network import draw_batch
from lesionctl.bench.prediction import PredictAll, PredictEach
from lesionctl.bench.worker import Assignment, Refusal, Worker, _answer, device_of, load_case
from lesionctl.errors import ExitCode, MissingExtra, UsageError
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.torch_segmenter import TorchSegmenter


@pytest.fixture
def case(model_file):
    return Case(What.NETWORK, str(model_file), Backend.TORCH, Precision.FP32, "cpu", batch_size=2)


def fail(error):
    def function():
        raise error

    return function


def test_errors_for_people_keep_their_words():
    assert _answer(fail(UsageError("no such device", "use cpu")), ()) == Refusal(
        "no such device", "use cpu", ExitCode.USAGE, is_lack=True
    )
    assert _answer(fail(MissingExtra("openvino", "openvino", "running m")), ()).is_lack


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried"), RuntimeError("DefaultCPUAllocator: can't")],
)
def test_no_memory_left_is_told_in_the_same_words(error):
    assert _answer(fail(error), ()) == Refusal("out of memory", None, ExitCode.FAILED)


def test_any_other_error_is_told_in_a_line():
    assert _answer(fail(RuntimeError("\nfirst\nsecond")), ()).reason == "RuntimeError: first"
    assert _answer(fail(KeyError()), ()).reason == "KeyError"


def test_a_network_is_started_run_and_asked_for_its_memory_and_work(case):
    worker = Worker(Assignment(case))
    started = worker.start()
    assert (started.runs_on, started.images) == ("torch fp32 cpu", 2)
    turn = worker.run()
    assert min(turn.seconds) > 0
    assert turn.device_seconds == ()
    memory = worker.memory()
    assert memory.process > 100
    assert memory.device is None
    assert worker.work().parameters == sum(weight.numel() for weight in worker._segmenter.model.net.parameters())


def test_each_thing_has_its_probe(case, demo, model_file):
    paths = tuple(sorted((demo / "images").iterdir())[:2])
    for what, kind in ((What.PREDICT_EACH, PredictEach), (What.PREDICT_ALL, PredictAll)):
        assert isinstance(Worker(Assignment(replace(case, what=what), paths))._make_probe(), kind)


def test_layout_is_that_of_the_case_and_changes_no_answer(case):
    usual, contiguous = load_case(case, 0), load_case(replace(case, channels_last=False), 0)

    def is_contiguous(segmenter):
        weights = segmenter.model.net.parameters()
        return next(weight for weight in weights if weight.ndim == 4 and weight.shape[1] > 1).is_contiguous()

    assert [is_contiguous(usual), is_contiguous(contiguous)] == [False, True]
    batch = draw_batch(usual.spec.size, 2)
    assert abs(usual.forward(batch) - contiguous.forward(batch)).max() < 1e-5


@pytest.mark.parametrize("size", [96, 75])  # 75: padded inside, for it cannot be halved
def test_the_size_is_that_of_the_case(case, tiny_spec, size):
    segmenter = load_case(replace(case, size=size), 0)
    assert tiny_spec.size == 64
    assert segmenter.spec == replace(tiny_spec, size=size)
    assert segmenter.forward(draw_batch(size, 2)).shape == (2, size, size)


def test_all_that_is_measured_of_a_case_is_at_its_size(case, demo, store_path, monkeypatch):
    monkeypatch.setattr("lesionctl.bench.training._VIEWS", 1)
    paths = tuple(sorted((demo / "images").iterdir())[:1])
    own, twice = (Worker(Assignment(replace(case, size=size), paths)) for size in (0, 128))
    assert twice.work().multiply_adds == pytest.approx(4 * own.work().multiply_adds, rel=0.01)
    assert twice.work().parameters == own.work().parameters
    assert twice.feed() > 0
    seen, forward = set(), TorchSegmenter.forward
    monkeypatch.setattr(
        TorchSegmenter, "forward", lambda self, batch: seen.add(batch.shape[1:]) or forward(self, batch)
    )
    monkeypatch.setattr("lesionctl.bench.network.TURN_SECONDS", 0.0)
    for ask in (
        twice.start,
        Worker(Assignment(replace(case, what=What.PREDICT_EACH, size=128), paths)).start,
        Worker(Assignment(replace(case, what=What.PREDICT_ALL, size=128), paths)).start,
        twice.stages,
        lambda: twice.quality(store_path),
        lambda: forward_of(twice._load())(3),
    ):
        ask()
        assert seen == {(128, 128, 3)}
        seen.clear()
    training = Worker(Assignment(replace(case, what=What.TRAIN, size=128)))._make_probe()
    assert training._images.shape == (2, 128, 128, 3)
    monkeypatch.setattr("lesionctl.bench.training._TURN", 0.0)
    assert min(training.run()) > 0


@pytest.mark.parametrize("suffix", [".onnx", ".xml", ".pt2"])
@pytest.mark.parametrize("what", [What.NETWORK, What.TRAIN])
def test_an_exported_file_has_one_size(case, tmp_path, suffix, what):
    path = tmp_path / f"m{suffix}"
    path.touch()
    worker = Worker(Assignment(replace(case, what=what, model=str(path), size=96)))
    refusal = _answer(worker.start, ())
    assert refusal.reason == f"{path} was exported for pictures of one size, and cannot run at 96 px"
    assert refusal.hint == "name the .safetensors file that it was made from, or leave out --size"


def test_compiling_needs_a_compiler(case, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UsageError, match=r"--compile needs a C\+\+ compiler"):
        load_case(replace(case, compiled=True), 0)


def test_the_device_in_a_segmenters_words():
    assert [device_of(words) for words in ("torch bf16 cuda:0", "openvino bf16 cpu")] == ["cuda:0", "cpu"]
