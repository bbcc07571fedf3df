"""The real program, run as a person would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def lesionctl(tmp_path: Path) -> Run:
    """Run `lesionctl ARGUMENTS` in an empty directory, with nothing of this machine's own configuration."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LESIONCTL_")}
    clean |= {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "COLUMNS": "100"}

    def run(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lesionctl", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=clean | variables, timeout=300, check=False
        )

    return run
