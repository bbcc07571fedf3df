from __future__ import annotations

from dataclasses import replace

import pytest

from lesionctl.bench.case import Case, What
from lesionctl.bench.comparison import compare
from lesionctl.bench.result import BenchResult, Row
from lesionctl.cli.bench_environment import show_environment
from lesionctl.cli.bench_tables import show, show_comparison
from lesionctl.cli.terminal import Terminal
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.readiness import Finding

ENVIRONMENT = {"processor": "AMD EPYC", "cpus_available": 2, "gpus": [], "torch": "2.13"}
WORK = {"parameters": 4168673, "multiply_adds": 1706113024, "moved": 1, "moved_once": 1, "file_bytes": 9053140}


@pytest.fixture
def result():
    case = Case(What.NETWORK, "lesion-s", Backend.TORCH, Precision.FP32, "cpu", 8)
    slow = Row(
        case, "torch fp32 cpu", images=8, turns=((0.8, 0.8),) * 5, start_seconds=2.5, memory_mb=475.2, work=WORK,
        share={"of_operations": 0.27, "of_bandwidth": 0.11},
    )  # fmt: skip
    fast = replace(
        slow, case=replace(case, backend=Backend.OPENVINO, precision=Precision.BF16), runs_on="openvino bf16 cpu",
        turns=((0.2, 0.2),) * 5,
    )  # fmt: skip
    failed = Row(replace(case, precision=Precision.FP16), reason="float16 is not for the CPU")
    return BenchResult(ENVIRONMENT, (slow, fast, failed))


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    return Terminal()


def cells(text, start):
    return next(line.split() for line in text.splitlines() if line.strip().startswith(start))


def test_speeds_stand_beside_the_first_within_80_columns(result, terminal, capsys):
    show(result, terminal)
    shown = capsys.readouterr().out
    assert cells(shown, "torch fp32") == ["torch", "fp32", "8", "10.0", "1", "800", "800", "800"]
    assert cells(shown, "openvino bf16") == [
        "openvino", "bf16", "8", "40.0", "4.00", "(4.00–4.00)", "200", "200", "200",
    ]  # fmt: skip
    assert cells(shown, "torch fp16") == ["torch", "fp16", "8", *"–––––"]
    assert "torch fp16, batch 8: float16 is not for the CPU" in shown
    assert "lesion-s: 4,168,673 parameters, 1.71 G multiply-adds a picture, 9.1 MB" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_costs_have_only_columns_of_which_something_is_known(result, terminal, capsys):
    show(result, terminal)
    shown = capsys.readouterr().out
    assert cells(shown.split("what it costs")[1], "case") == [
        "case",
        "what",
        "batch",
        "start",
        "s",
        "MB",
        "arith.",
        "bandw.",
    ]
    assert "27 %" in shown


def test_a_comparison_says_how_many_times_as_fast_each_case_is(result, terminal, capsys):
    slower = replace(result, rows=tuple(replace(row, turns=((0.4, 0.4),) * 5) for row in result.rows[1:2]))
    show_comparison(compare(slower, result), terminal)
    shown = capsys.readouterr()
    assert cells(shown.out, "openvino")[-3:] == ["0.50", "(0.50–0.50)", "slower"]
    assert "measured before alone: network lesion-s torch fp32 batch 8" in shown.err


def test_what_is_wrong_is_told_with_what_to_do(terminal, capsys):
    show_environment({"torch": "2.13", "gpus": []}, [Finding("the disk is full", True, "make room")], terminal)
    shown = capsys.readouterr().out
    assert cells(shown, "torch") == ["torch", "2.13"]
    assert "wrong: the disk is full\n  make room\n" in shown
    assert "gpus" not in shown
