"""Each kind of error knows its exit code and says what to do."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from lesionctl.errors import (
    BadFile,
    ExitCode,
    Failure,
    GateError,
    Interrupted,
    LesionctlError,
    MissingExtra,
    SomeInputsFailed,
    UsageError,
    did_you_mean,
    nearest,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LesionctlError("x"), 1),
        (BadFile("a.jpg", "x"), 1),
        (MissingExtra("onnx", "onnx", "exporting"), 1),
        (UsageError("x"), 2),
        (SomeInputsFailed([], 1), 3),
        (GateError("x"), 4),
        (Interrupted("x"), 75),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exit_code(error, code):
    assert error.exit_code == code


def test_done_is_zero():
    assert ExitCode.DONE == 0


def test_bad_file_names_the_file_and_the_reason():
    error = BadFile(Path("a.jpg"), "the file is empty", hint="fetch it again")
    assert str(error) == "a.jpg: the file is empty"
    assert (error.path, error.reason, error.hint) == (Path("a.jpg"), "the file is empty", "fetch it again")


def test_missing_extra_says_what_to_install():
    assert MissingExtra("onnx", "onnx", "exporting").hint == "pip install 'lesionctl[onnx]'"


def test_failed_inputs_are_all_named_and_counted():
    error = SomeInputsFailed([Failure(Path("a"), "empty"), Failure(Path("b"), "cut off")], 5)
    assert error.what == "2 of 5 inputs failed, the rest are done:\n  a: empty\n  b: cut off"


@pytest.mark.parametrize(
    ("total", "message"), [(2, "1 of 2 inputs failed, the rest are done"), (1, "1 of 1 inputs failed, none is done")]
)
def test_failed_inputs_are_counted_and_named(total, message):
    error = SomeInputsFailed([Failure(Path("a.jpg"), "the file is empty")], total)
    assert error.what == f"{message}:\n  a.jpg: the file is empty"


@pytest.mark.parametrize(
    ("name", "near"),
    [("isci2018", ["isic2018"]), ("ISIC2018", ["isic2018"]), ("mean-dice", ["mean_dice"]), ("xyz", [])],
)
def test_a_misspelt_word_is_near_the_right_one(name, near):
    assert nearest(name, ["ham10000", "isic2018", "mean_dice"]) == near


def test_a_hint_names_the_near_words_or_all():
    assert did_you_mean("trian", ["train", "eval"]) == "did you mean 'train'?"
    assert did_you_mean("resnet43", ["resnet34", "resnet18", "vgg"], most=2) == "did you mean 'resnet34' or 'resnet18'?"
    assert did_you_mean("abc1", ["abc2", "abc3", "abc4"], most=3).count("'") == 6
    assert did_you_mean("xyz", ["train", "eval"]) == "known: train, eval"
    assert did_you_mean("xyz", ["train", "eval"], otherwise="see the manual") == "see the manual"


@pytest.mark.parametrize("name", ["SIGINT", "SIGPIPE", "SIGTERM"])
def test_the_code_of_a_death_by_signal_is_the_shells(name):
    assert ExitCode[name] == 128 + signal.Signals[name]
