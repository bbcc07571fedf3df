"""Each kind of error knows its exit code and says what to do."""

from __future__ import annotations

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
