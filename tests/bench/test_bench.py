from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lesionctl.bench import bench as bench_module
from lesionctl.bench.bench import BenchOptions, bench
from lesionctl.bench.case import Case, What
from lesionctl.bench.process import CaseFailed
from lesionctl.bench.result import Row
from lesionctl.bench.turns import Refused
from lesionctl.bench.worker import Refusal
from lesionctl.errors import BadFile, ExitCode, LesionctlError, UsageError
from lesionctl.progress import Silent
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.precision import Precision


class Listener(Silent):
    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)


@pytest.fixture(scope="module")
def case(model_file):
    return Case(What.NETWORK, str(model_file), Backend.TORCH, Precision.FP32, "cpu", batch_size=2)


@pytest.fixture(scope="module")
def pictures(demo):
    return tuple(str(path) for path in sorted((demo / "images").iterdir())[1:3])


@pytest.fixture(scope="module")
def measured(case, pictures, store_path):
    """The network alone, the same where it cannot run, and prediction with its stages; two turns each."""
    cases = [
        case,
        replace(case, precision=Precision.FP16),
        replace(case, what=What.PREDICT_ALL),
        replace(case, what=What.STAGES),
    ]
    return bench(cases, BenchOptions(pictures, repeats=2, store=store_path))


def test_each_case_has_its_turns(measured):
    assert [(row.case.what, row.images, len(row.turns)) for row in measured.rows] == [
        ("network", 2, 2), ("network", 0, 0), ("predict all", 2, 2),
    ]  # fmt: skip
    network, _, predict = measured.rows
    assert network.timing.images_per_second > predict.timing.images_per_second > 0
    assert [row.runs_on for row in (network, predict)] == ["torch fp32 cpu"] * 2


def test_what_cannot_run_is_a_row_with_its_reason(measured):
    assert [row.reason for row in measured.failed] == ["float16 is not for the CPU"]


def test_what_a_case_costs_is_its_own_processs(measured):
    for row in (measured.rows[0], measured.rows[2]):
        assert row.start_seconds > 0.1
        assert row.memory_mb > 100  # torch alone takes more
        assert row.device_memory_mb is None


def test_rows_have_the_work_of_the_network_and_its_share_of_the_peak(measured, tiny_net, model_file):
    network, _, predict = measured.rows
    assert network.parameters == predict.parameters == sum(weight.numel() for weight in tiny_net.parameters())
    assert network.file_bytes == model_file.stat().st_size
    assert 0 < network.share["of_operations"] < 1.5
    assert network.peak > 1e9
    assert predict.share is None  # its time is not the network's alone


def test_rows_of_one_way_to_run_a_model_have_the_same_dice(measured):
    network, failed, predict = measured.rows
    assert network.quality == predict.quality
    assert network.quality["pictures"] == 3
    assert 0 <= network.dice <= 1
    assert failed.dice is None


def test_stages_are_told_beside_the_rows(measured):
    (stages,) = measured.stages
    assert stages["case"]["what"] == "stages"
    assert stages["pictures"] == 2
    assert sum(stages["shares"].values()) == pytest.approx(1)


def test_what_the_machine_lacks_is_left_out_where_that_is_wanted(monkeypatch, case):
    lacking = Refused(case, CaseFailed(Refusal("no bfloat16 here", None, ExitCode.USAGE, is_lack=True)))
    broken = Refused(case, CaseFailed(Refusal("out of memory", None, ExitCode.FAILED)))
    listener = Listener()
    rows = bench_module._keep_rows([Row(case), lacking, broken], BenchOptions(only_what_works=True), listener)
    assert [row.reason for row in rows] == ["", "out of memory"]
    assert listener.said == [f"left out: {case.label}: no bfloat16 here"]


def test_what_no_case_can_do_is_an_error(case, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"x")
    with pytest.raises(LesionctlError, match=r"bad\.jpg"):
        bench([replace(case, what=What.PREDICT_EACH)], BenchOptions((str(tmp_path),), repeats=1))


def test_what_does_not_exist_is_said_before_anything_is_measured(case, monkeypatch):
    monkeypatch.setattr(bench_module, "CaseProcess", None)
    with pytest.raises(UsageError, match="there is no model 'none'"):
        bench([replace(case, model="none")])
    with pytest.raises(BadFile, match="none"):
        bench([case], BenchOptions(store=Path("none")))
