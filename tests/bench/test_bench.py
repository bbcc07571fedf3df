from __future__ import annotations

import signal
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from lesionctl.bench import bench as bench_module
from lesionctl.bench.bench import BenchOptions, bench
from lesionctl.bench.case import Case, What
from lesionctl.bench.facts import _one_way, add_quality
from lesionctl.bench.process import CaseFailed
from lesionctl.bench.result import Row
from lesionctl.bench.turns import Refused
from lesionctl.bench.worker import Refusal
from lesionctl.errors import BadFile, ExitCode, LesionctlError, UsageError
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.load import digest_of
from lesionctl.runtime.precision import Precision


@pytest.fixture(scope="module")
def case(model_file):
    return Case(What.NETWORK, str(model_file), Backend.TORCH, Precision.FP32, "cpu", batch_size=2)


@pytest.fixture(scope="module")
def pictures(demo):
    return tuple(str(path) for path in sorted((demo / "images").iterdir())[1:3])


@pytest.fixture(scope="module")
def measured(case, pictures, store_path, in_this_process, make_listener):
    """The network alone, the same where it cannot run, training, and prediction with its stages; and who listened."""
    cases = [
        case,
        replace(case, precision=Precision.FP16),
        replace(case, what=What.PREDICT_ALL),
        replace(case, what=What.TRAIN),
        replace(case, what=What.STAGES),
    ]
    listener = make_listener()
    return bench(cases, BenchOptions(pictures, repeats=2, store=store_path), listener), listener


def test_each_case_has_its_turns(measured):
    result, _ = measured
    assert [(row.case.what, row.images, len(row.turns)) for row in result.rows] == [
        ("network", 2, 2), ("network", 0, 0), ("predict all", 2, 2), ("train", 2, 2),
    ]  # fmt: skip
    assert [row.runs_on for row in result.rows] == ["torch fp32 cpu", "", "torch fp32 cpu", "torch fp32 cpu"]
    assert all(row.timing.images_per_second > 0 for row in result.rows if row.turns)
    assert [row.feed is not None for row in result.rows] == [False, False, False, True]


def test_rows_say_of_which_file_they_are_and_the_result_from_which_pictures(measured, model_file, pictures):
    result, _ = measured
    assert {row.digest for row in result.rows} == {digest_of(model_file)}
    sizes = [Path(path).stat().st_size for path in pictures]
    assert (result.pictures["count"], result.pictures["drawn"], result.pictures["bytes"]) == (2, False, sum(sizes))


def test_whoever_listens_hears_how_far_each_piece_of_work_is(measured):
    _, listener = measured
    heard = [(task.description, task.done, task.total) for task in listener.tasks]
    assert heard == [("measuring", 12, 12), ("scoring", 3, 3), ("peak of the machine", 1, 1), ("stages", 3, 3)]
    assert listener.tasks[1].notes[0] == f"{measured[0].rows[0].case.model} torch fp32 cpu"


def test_what_cannot_run_is_a_row_with_its_reason(measured):
    assert [reason for _, reason in measured[0].failed] == ["float16 is not for the CPU"]


def test_rows_say_what_a_case_costs(measured):
    for row in (measured[0].rows[0], measured[0].rows[2]):
        assert row.start_seconds > 0
        assert row.memory_mb > 100  # torch alone takes more
        assert row.device_memory_mb is None


def test_rows_have_the_work_of_the_network_and_its_share_of_the_peak(measured, tiny_net, model_file):
    network, _, predict, train = measured[0].rows
    assert network.parameters == predict.parameters == sum(weight.numel() for weight in tiny_net.parameters())
    assert network.file_bytes == model_file.stat().st_size
    assert 0 < network.share["of_operations"] < 1.5
    assert network.peak > 1e9
    assert predict.share is None  # its time is not the network's alone
    assert train.share["of_operations"] > 0


def test_rows_of_one_way_to_run_a_model_have_the_same_dice(measured):
    network, failed, predict, train = measured[0].rows
    assert network.quality == predict.quality
    assert network.quality["pictures"] == 3
    assert 0 <= network.dice <= 1
    assert failed.dice is train.dice is None


def test_stages_are_told_beside_the_rows(measured):
    (stages,) = measured[0].stages
    assert stages["case"]["what"] == "stages"
    assert stages["pictures"] == 2
    assert sum(stages["shares"].values()) == pytest.approx(1)


def test_the_work_is_that_at_the_size_of_each_row(case, in_this_process):
    cases = [replace(case, size=size) for size in (64, 128)]
    small, large = bench(cases, BenchOptions(repeats=1)).rows
    assert large.multiply_adds == pytest.approx(4 * small.multiply_adds, rel=0.01)
    assert large.parameters == small.parameters


def test_what_the_machine_lacks_is_left_out_where_that_is_wanted(case, listener):
    lacking = Refused(case, CaseFailed(Refusal("no bfloat16 here", None, ExitCode.USAGE, is_lack=True)))
    broken = Refused(case, CaseFailed(Refusal("out of memory", None, ExitCode.FAILED)))
    rows = bench_module._keep_rows([Row(case), lacking, broken], BenchOptions(only_what_works=True), listener)
    assert [row.reason for row in rows] == ["", "out of memory"]
    assert listener.said == [f"left out: {case.label}: no bfloat16 here"]


def test_where_the_machine_lacks_what_every_case_needs_it_is_an_error(case, listener):
    lacks = [
        Refused(case, CaseFailed(Refusal(reason, None, ExitCode.USAGE, is_lack=True)))
        for reason in ("no GPU", "no CUDA")
    ]
    with pytest.raises(CaseFailed, match="no GPU"):
        bench_module._keep_rows(lacks, BenchOptions(only_what_works=True), listener)
    assert len(bench_module._keep_rows(lacks, BenchOptions(), listener)) == 2


def test_a_store_that_cannot_be_scored_costs_no_figure(store_path, make_row, listener):
    class Unable:
        def ask(self, name, *arguments, **_):
            assert (name, arguments) == ("quality", (store_path,))
            raise CaseFailed(Refusal("the model has seen all of them", None, ExitCode.GATE_FAILED))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    rows = [make_row(), make_row(case=replace(make_row().case, what=What.TRAIN))]
    network, train = add_quality(rows, store_path, lambda _: Unable(), listener)
    assert (network.reason, network.turns) == ("it cannot be scored: the model has seen all of them", rows[0].turns)
    assert train is rows[1]


def test_ways_that_turn_out_otherwise_are_scored_each(make_row):
    # Asked for in the same words, `predict` may take another runtime for few pictures than for many.
    row = make_row()
    other = replace(row, case=replace(row.case, what=What.PREDICT_ALL), runs_on="onnxruntime fp32 cpu")
    assert len({_one_way(row), _one_way(other), _one_way(replace(row, case=other.case))}) == 2


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_to_end_leaves_nothing_behind(name, tmp_path, monkeypatch, case):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    number = getattr(signal, name)

    def stopped(*_):
        assert list(tmp_path.iterdir())
        signal.raise_signal(number)

    before = signal.getsignal(number)
    monkeypatch.setattr(bench_module, "_convert", stopped)
    with pytest.raises(SystemExit) as caught:
        bench([case])
    assert caught.value.code == 128 + number
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(number) is before


@pytest.mark.usefixtures("in_this_process")
def test_what_no_case_can_do_is_an_error(case, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"x")
    with pytest.raises(LesionctlError, match=r"bad\.jpg"):
        bench([replace(case, what=What.PREDICT_EACH)], BenchOptions((str(tmp_path),), repeats=1))


def test_without_a_driver_cuda_is_refused_before_any_process_starts(case, monkeypatch):
    monkeypatch.setattr(bench_module, "may_have_accelerator", lambda: False)
    monkeypatch.setattr(bench_module, "CaseProcess", None)
    with pytest.raises(UsageError, match="there is no device 'cuda:1': this machine has no NVIDIA driver"):
        bench([case, replace(case, device="cuda:1")])


def test_what_does_not_exist_is_said_before_anything_is_measured(case, monkeypatch):
    monkeypatch.setattr(bench_module, "CaseProcess", None)
    with pytest.raises(UsageError, match="there is no model 'none'"):
        bench([replace(case, model="none")])
    with pytest.raises(BadFile, match="none"):
        bench([case], BenchOptions(store=Path("none")))
