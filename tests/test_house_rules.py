"""The rules of the house: style, types, and who may know whom."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        [sys.executable, "-m", "mypy"],
        ["lint-imports"],
    ],
    ids=["lint", "format", "types", "imports"],
)
def test_tool_finds_nothing(command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_tells_two_stories():
    lengths = {path: len(path.read_text().splitlines()) for path in (ROOT / "lesionctl").rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def test_ci_runs_the_test_command_of_the_readme():
    readme, ci = (ROOT / "README.md").read_text(), (ROOT / ".ci" / "run").read_text()
    command = "pip install '.[test]' && pytest"
    assert f"\n{command}\n" in readme
    assert f"\n{command}\n" in ci
