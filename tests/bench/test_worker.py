from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lesionctl.bench.case import Case, What
from lesionctl.bench.network import draw_batch
from lesionctl.bench.prediction import PredictAll, PredictEach
from lesionctl.bench.worker import Assignment, Refusal, Worker, _answer, device_of, load_case
from lesionctl.errors import ExitCode, MissingExtra, UsageError
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.precision import Precision


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


def test_compiling_needs_a_compiler(case, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UsageError, match=r"--compile needs a C\+\+ compiler"):
        load_case(replace(case, compiled=True), 0)


def test_the_device_in_a_segmenters_words():
    assert [device_of(words) for words in ("torch bf16 cuda:0", "openvino bf16 cpu")] == ["cuda:0", "cpu"]
