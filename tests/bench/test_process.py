from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lesionctl.bench.case import Case, What
from lesionctl.bench.process import CaseFailed, CaseProcess
from lesionctl.bench.worker import Assignment
from lesionctl.errors import ExitCode

CASE = Case(What.NETWORK, "no-such-model")

# Starts a case's process, says its number, and dies without a chance to tidy up.
PARENT = """
import os, sys, tempfile
from pathlib import Path
from lesionctl.bench.case import Case, What
from lesionctl.bench.process import CaseProcess
from lesionctl.bench.worker import Assignment
process = CaseProcess(Assignment(Case(What.NETWORK, "no-such-model")), Path(sys.argv[1]))
print(process._process.pid, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def process(tmp_path):
    with CaseProcess(Assignment(CASE), tmp_path) as process:
        yield process


def is_alive(pid):
    """Whether a process runs: one that has ended and that nobody has asked for is no longer alive."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_what_cannot_be_done_is_told_with_hint_and_exit_code_and_can_be_asked_again(process):
    for _ in range(2):
        with pytest.raises(CaseFailed, match="there is no model 'no-such-model'") as caught:
            process.ask("load")
        assert caught.value.exit_code is ExitCode.USAGE
        assert "lesion-s" in caught.value.hint


def test_a_process_that_is_killed_says_by_what(process):
    os.kill(process._process.pid, signal.SIGKILL)
    with pytest.raises(CaseFailed, match="its process was killed by SIGKILL, as the system does where memory is out"):
        process.ask("load")


def test_the_process_ends_with_the_block(tmp_path):
    with CaseProcess(Assignment(CASE), tmp_path) as process:
        pid = process._process.pid
        assert is_alive(pid)
    assert not is_alive(pid)


def test_no_process_outlives_the_one_that_started_it(tmp_path):
    done = subprocess.run([sys.executable, "-c", PARENT, str(tmp_path)], capture_output=True, text=True, check=False)
    deadline = time.monotonic() + 60
    while is_alive(int(done.stdout)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(int(done.stdout))


def test_the_number_of_threads_is_the_environments(tmp_path):
    with CaseProcess(Assignment(Case(What.NETWORK, "m", threads=3)), tmp_path) as process:
        deadline = time.monotonic() + 60
        variables = set()
        while not {"SLURM_CPUS_PER_TASK=3", "OMP_NUM_THREADS=3"} <= variables and time.monotonic() < deadline:
            variables = set(Path(f"/proc/{process._process.pid}/environ").read_text().split("\0"))  # at first none
    assert {"SLURM_CPUS_PER_TASK=3", "OMP_NUM_THREADS=3"} <= variables
