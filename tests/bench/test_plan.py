from __future__ import annotations

import pytest

from lesionctl.bench.case import Case, What
from lesionctl.bench.plan import Wanted, plan_cases
from lesionctl.errors import UsageError
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.precision import Precision


def test_by_default_the_network_prediction_and_its_stages():
    cases = plan_cases(Wanted())
    assert [(case.what, case.batch_size) for case in cases] == [
        (What.NETWORK, 1), (What.NETWORK, 8), (What.PREDICT_EACH, 1), (What.PREDICT_ALL, 8), (What.STAGES, 8),
    ]  # fmt: skip
    assert {(case.model, case.backend, case.precision) for case in cases} == {("lesion-s", "auto", "auto")}


def test_each_value_is_combined_with_each():
    wanted = Wanted(
        [What.NETWORK], ["a", "b"], [Backend.TORCH, Backend.ONNX], [Precision.FP32, Precision.BF16], batch_sizes=[1, 4]
    )
    cases = plan_cases(wanted)
    assert len(cases) == len(set(cases)) == 2 * 2 * 2 * 2
    assert cases[0] == Case(What.NETWORK, "a", Backend.TORCH, Precision.FP32, batch_size=1)


def test_what_is_asked_for_twice_is_measured_once():
    assert len(plan_cases(Wanted([What.NETWORK, What.NETWORK], ["a", "a"], batch_sizes=[2, 2]))) == 1


def test_one_picture_at_a_time_has_one_batch_size():
    assert [case.batch_size for case in plan_cases(Wanted([What.PREDICT_EACH], batch_sizes=[4, 8]))] == [1]


def test_every_backend_begins_with_torch_in_float32():
    cases = plan_cases(Wanted([What.PREDICT_ALL], every_way=True))
    assert [f"{case.backend} {case.precision}" for case in cases] == [
        "torch fp32", "torch bf16", "torch fp16", "onnxruntime fp32", "openvino fp32", "openvino bf16", "openvino fp16",
    ]  # fmt: skip
    only = plan_cases(Wanted([What.PREDICT_ALL], every_way=True, precisions=[Precision.BF16]))
    assert [case.backend for case in only] == [Backend.TORCH, Backend.OPENVINO]


def test_compiling_and_layouts_are_rows_of_torch_beside_the_plain_ones():
    wanted = Wanted([What.NETWORK], backends=[Backend.TORCH, Backend.OPENVINO], batch_sizes=[1], compiled=True)
    assert [(case.backend, case.compiled) for case in plan_cases(wanted)] == [
        ("torch", False), ("torch", True), ("openvino", False),
    ]  # fmt: skip
    layouts = plan_cases(Wanted([What.NETWORK], batch_sizes=[1], channels_last=[True, False]))
    assert [(case.backend, case.channels_last) for case in layouts] == [("auto", True), ("torch", False)]


def test_sizes_are_rows_of_torch_and_each_is_combined_with_each():
    wanted = Wanted([What.NETWORK, What.STAGES], batch_sizes=[1], sizes=[192, 384], channels_last=[True, False])
    assert [(case.what, case.backend, case.size, case.channels_last) for case in plan_cases(wanted)] == [
        (what, "torch", size, layout)
        for what in ("network", "stages") for size in (192, 384) for layout in (True, False)
    ]  # fmt: skip
    every = plan_cases(Wanted([What.NETWORK], every_way=True, batch_sizes=[1], sizes=[384]))
    assert [f"{case.backend} {case.precision}" for case in every] == ["torch fp32", "torch bf16", "torch fp16"]
    with pytest.raises(UsageError, match="only torch trains, compiles, and has a choice of layout and size"):
        plan_cases(Wanted(backends=[Backend.ONNX, Backend.OPENVINO], sizes=[384]))


@pytest.mark.parametrize("size", [-384, 0, 31])
def test_a_size_below_that_of_training_is_refused(size):
    with pytest.raises(UsageError, match=f"--size cannot be {size}") as refused:
        plan_cases(Wanted(sizes=[384, size]))
    assert refused.value.hint == "a network's input has a side of 32 px or more"
    assert plan_cases(Wanted(sizes=[32]))[0].size == 32


def test_torch_alone_trains():
    assert [case.backend for case in plan_cases(Wanted([What.TRAIN]))] == [Backend.TORCH]
    with pytest.raises(UsageError, match="only torch trains"):
        plan_cases(Wanted([What.TRAIN], backends=[Backend.OPENVINO]))


def test_threads_are_no_more_than_there_are_processors(monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert [case.threads for case in plan_cases(Wanted([What.NETWORK], batch_sizes=[1], threads=[1]))] == [1]
    with pytest.raises(UsageError, match="--threads 2 is more than the 1 processors"):
        plan_cases(Wanted([What.NETWORK], threads=[1, 2]))


def test_a_case_comes_back_from_json_as_it_was():
    case = Case(
        What.TRAIN, "m", Backend.TORCH, Precision.BF16, "cuda", 4, 2, compiled=True, channels_last=False, size=384
    )
    assert Case.from_dict(case.to_dict()) == case
    assert case.label == "train m torch bf16 batch 4 at 384 px compiled contiguous 2 threads"


def test_a_case_of_before_there_were_sizes_has_the_models_own():
    case = Case(What.NETWORK, "m")
    written = case.to_dict()
    del written["size"]
    assert Case.from_dict(written) == case
    assert case.label == "network m auto auto batch 8"
