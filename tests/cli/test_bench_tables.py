from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest

from lesionctl.bench.case import Case, What
from lesionctl.bench.comparison import compare
from lesionctl.bench.quality import Quality
from lesionctl.bench.result import BenchResult, Row
from lesionctl.cli import bench_environment
from lesionctl.cli.bench_environment import show_environment
from lesionctl.cli.bench_tables import show, show_comparison
from lesionctl.cli.terminal import Terminal
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.readiness import Finding

ENVIRONMENT = {"processor": "AMD EPYC", "cpus_available": 2, "gpus": [], "torch": "2.13", "memory_gib": 16.0}
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
    assert "AMD EPYC, 2 cpus, torch 2.13\n16 GiB of memory\n" in shown
    assert cells(shown, "torch fp32") == ["torch", "fp32", "8", "10.0", "1", "800", "800", "800"]
    assert cells(shown, "openvino bf16") == [
        "openvino", "bf16", "8", "40.0", "4.00", "(4.00–4.00)", "200", "200", "200",
    ]  # fmt: skip
    assert cells(shown, "torch fp16") == ["torch", "fp16", "8", *"–––––"]
    assert "torch fp16, batch 8: float16 is not for the CPU" in shown
    assert "lesion-s: 4,168,673 parameters, 1.71 G multiply-adds a picture, 9.1 MB" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_another_size_is_told_beside_whatever_is_of_it(result, terminal, capsys):
    row = result.rows[0]
    case = replace(row.case, size=384)
    larger = replace(row, case=case, work=WORK | {"multiply_adds": 3838754304})
    stages = {"case": replace(case, what=What.STAGES, threads=1).to_dict(), "reason": "bad.jpg"}
    show(replace(result, rows=(row, larger), stages=(stages,)), terminal)
    shown = capsys.readouterr().out
    assert cells(shown, "torch fp32 at")[:6] == ["torch", "fp32", "at", "384", "px", "8"]
    assert "lesion-s: 4,168,673 parameters, 1.71 G multiply-adds" in shown
    assert "lesion-s at 384 px: 4,168,673 parameters, 3.84 G multiply-adds" in shown
    assert "stages of lesion-s at 384 px 1 thread: bad.jpg" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_costs_have_only_columns_of_which_something_is_known(result, terminal, capsys):
    show(result, terminal)
    shown = capsys.readouterr().out
    assert cells(shown.split("what it costs")[1], "case") == [
        "case",
        "what",
        "×",
        "batch",
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
    assert cells(shown.out, "openvino")[-3:] == ["0.500", "(0.500–0.500)", "slower"]
    assert "measured before alone: network lesion-s torch fp32 batch 8" in shown.out


def quality(pictures, digest, remarks=()):
    return Quality(0.9, 0.89, 0.91, 0.8, pictures, 300, pictures, 0, 0, "isic", "test", digest, remarks).to_dict()


def test_the_longest_names_of_every_backend_fit_80_columns(result, terminal, capsys):
    turns = tuple((0.4567 * factor,) * 2 for factor in (0.9, 1.0, 1.1, 1.2))
    rows = tuple(
        replace(
            row, case=replace(row.case, backend=Backend.ONNX, batch_size=batch), runs_on="onnxruntime fp32 cpu",
            quality=quality(300, "a"), turns=turns if batch > 1 else result.rows[0].turns,
        )
        for row in result.rows[:1] for batch in (1, 2, 4)
    )  # fmt: skip
    show(replace(result, rows=rows), terminal)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "onnxruntime fp32       2" in shown


def test_dice_of_different_pictures_are_said_not_to_be_compared(result, terminal, capsys):
    one, other = (
        replace(row, case=replace(row.case, model=model), quality=quality(pictures, digest))
        for row, model, pictures, digest in zip(result.rows, "ab", (200, 300), "cd", strict=False)
    )
    show(replace(result, rows=(one, other)), terminal)
    shown = capsys.readouterr()
    assert "Dice of a: mean per image, isic, 200 of 300 pictures of the test split" in shown.out
    assert "Dice of b: mean per image, isic, 300 pictures of the test split" in shown.out
    assert "200 to 300 of 300 pictures" in shown.err
    assert "NOT the same pictures for all" in shown.err
    show(replace(result, rows=(one, replace(other, quality=one.quality))), terminal)
    shown = capsys.readouterr()
    assert "Dice: mean per image, isic, 200 of 300" in shown.out
    assert shown.err == ""


@pytest.mark.parametrize(
    ("runs_on", "feed", "told"),
    [
        ("torch fp32 cpu", 30.0, "at most 7.50 img/s, 25 % of it varying"),  # 10 a second, and 30 where it only varies
        ("torch bf16 cuda:0", 30.0, "vary 30.0 img/s at most, so the steps bound"),
        ("torch bf16 cuda:0", 8.0, "vary 8.00 img/s at most, so varying bounds"),
    ],
)
def test_training_says_whether_steps_or_pictures_bound_it(result, terminal, capsys, runs_on, feed, told):
    row = result.rows[0]
    row = replace(row, case=replace(row.case, what=What.TRAIN), runs_on=runs_on, feed=feed)
    show(replace(result, rows=(row,)), terminal)
    assert told in " ".join(capsys.readouterr().out.split())


def test_why_no_more_pictures_fit_is_said_once(result, terminal, capsys):
    largest = {"batch": 900, "reason": "a picture takes 9 MB", "best": 4, "ladder": []}
    row = replace(result.rows[0], largest=largest)
    show(replace(result, rows=(row, replace(row, case=replace(row.case, batch_size=1)))), terminal)
    shown = capsys.readouterr().out
    told = "largest batch, torch fp32: 900 pictures (a picture takes 9 MB); from 4 on it is no faster"
    assert " ".join(shown.split()).count(told) == 1


def test_the_environment_is_json_with_what_is_wrong(terminal, capsys, monkeypatch):
    finding = Finding("the disk is full", True, "make room")
    monkeypatch.setattr(bench_environment, "check_readiness", lambda _: [finding])
    bench_environment.tell_environment(terminal, as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert shown["environment"]["python"] == sys.version.split()[0]
    assert shown["findings"] == [{"what": "the disk is full", "is_wrong": True, "hint": "make room"}]


def test_what_is_wrong_is_told_with_what_to_do(terminal, capsys):
    show_environment({"torch": "2.13", "gpus": []}, [Finding("the disk is full", True, "make room")], terminal)
    shown = capsys.readouterr().out
    assert cells(shown, "torch") == ["torch", "2.13"]
    assert "wrong: the disk is full\n  make room\n" in shown
    assert "gpus" not in shown
