"""The real program, run as a person would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from warm_program import Running, WarmProgram

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., Running]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment with nothing of this machine's own configuration."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LESIONCTL_")}
    return clean | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "COLUMNS": "100"}


@pytest.fixture
def fresh_lesionctl(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run `lesionctl ARGUMENTS` in an empty directory, from nothing, which takes seconds longer."""

    def run(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lesionctl", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=environment | variables, timeout=300, check=False
        )

    return run


@pytest.fixture
def lesionctl(
    warm_program: WarmProgram | None, fresh_lesionctl: Run, environment: dict[str, str], tmp_path: Path
) -> Run:
    """Run `lesionctl ARGUMENTS` in an empty directory, as a process whose libraries are loaded already.

    From nothing, where it matters what is loaded and when: for figures of time and memory, for `--offline`, which
    libraries read while they are loaded, and for variables of theirs.
    """

    def run(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        words = list(map(str, arguments))
        is_ours = all(name.startswith(("LESIONCTL_", "SLURM_ARRAY_", "TORCHELASTIC_RUN_ID")) for name in variables)
        if warm_program is None or not is_ours or {"bench", "--offline"} & set(words):
            return fresh_lesionctl(*words, **variables)
        running = warm_program.start(words, environment | variables, cwd=tmp_path)
        said, logged = running.communicate(300)
        return subprocess.CompletedProcess(words, running.wait(), said, logged)

    return run


@pytest.fixture
def start_lesionctl(warm_program: WarmProgram | None, environment: dict[str, str], tmp_path: Path) -> Start:
    """Start `lesionctl ARGUMENTS`, as `lesionctl` runs it, and return the process, to be killed or waited for."""

    def start(*arguments: str | Path) -> Running | subprocess.Popen[str]:
        words = list(map(str, arguments))
        if warm_program is not None:
            return warm_program.start(words, environment, cwd=tmp_path)
        command = [sys.executable, "-m", "lesionctl", *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True)

    return start
