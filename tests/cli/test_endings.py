"""However the program is ended, it says so in a line, and the shell is told as of any other program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

LISTENING = """
import time
from lesionctl.cli import start

import lesionctl.cli.main as main
def wait(terminal):
    print("ready", flush=True)
    time.sleep(60)
main.run = lambda app, words, terminal: wait(terminal)
start.main()
"""

LOADING = """
import os, sys
from importlib.abc import MetaPathFinder

module, number = sys.argv.pop(1), int(sys.argv.pop(1))

class Sender(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == module:
            os.kill(os.getpid(), number)

sys.meta_path.insert(0, Sender())
from lesionctl.cli.start import main
main()
"""


def start(*arguments, environment, cwd, code=None):
    command = [sys.executable, *(["-c", code] if code else ["-m", "lesionctl"]), *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment, cwd=cwd)


@pytest.mark.parametrize(("number", "said"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "ended by SIGTERM")])
def test_a_signal_ends_a_command_with_a_line_and_a_death_by_it(environment, tmp_path, number, said):
    process = start("x", environment=environment, cwd=tmp_path, code=LISTENING)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.communicate(timeout=60) == ("", f"error: {said}\n")
    assert process.returncode == -number  # a shell tells 128 + number: 130 and 143


def test_a_shells_loop_ends_with_the_command_that_ctrl_c_ends(environment, tmp_path):
    (tmp_path / "wait.py").write_text(LISTENING)
    script = f'for i in 1 2; do "{sys.executable}" wait.py x; echo "code $?"; done'
    loop = subprocess.Popen(
        ["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        cwd=tmp_path, start_new_session=True,
    )  # fmt: skip
    assert loop.stdout.readline() == "ready\n"
    os.killpg(loop.pid, signal.SIGINT)  # as a terminal does
    out, err = loop.communicate(timeout=60)
    assert (out, err) == ("", "error: interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("module", ["typer", "lesionctl.cli.main", "pydantic_core", "numpy", "torch"])
def test_a_signal_while_it_loads_shows_no_traceback(environment, tmp_path, module, number):
    words = (module, str(int(number)), "export", "lesion-s", "--to", "torch")
    process = start(*words, environment=environment, cwd=tmp_path, code=LOADING)
    said = "interrupted" if number == signal.SIGINT else "ended by SIGTERM"
    assert process.communicate(timeout=60) == ("", f"error: {said}\n")
    assert process.returncode == -number


def test_a_closed_pipe_ends_it_quietly(environment, tmp_path):
    script = f'set -o pipefail; "{sys.executable}" -m lesionctl help formats | true; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=60, check=True
    )
    assert done.stderr == ""
    assert done.stdout in {"141\n", "0\n"}  # 0 where all was written before the reader went


def test_a_reader_that_is_gone_before_the_result_is_told_as_sigpipe(environment, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "lesionctl", "fetch", "--list"]
    done = subprocess.run(
        command, stdout=writing, stderr=subprocess.PIPE, env=environment, cwd=tmp_path, timeout=60, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


def test_signals_that_the_parent_ignores_stay_ignored(environment, tmp_path):
    """A shell lets its background jobs ignore Ctrl-C."""
    script = f"trap '' INT; exec \"{sys.executable}\" wait.py x"
    (tmp_path / "wait.py").write_text(LISTENING.replace("time.sleep(60)", "time.sleep(1)"))
    process = subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
