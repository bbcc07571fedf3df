"""The real program without the seconds that loading its libraries takes: a fork of a process that has loaded them.

Each run is a process of its own, with its own directory, environment, outputs and signals, and ends as any other does.
What a library reads from the environment while it is loaded is that of the first process: a test about such a variable
starts the program anew.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import signal
import subprocess
import sys
from pathlib import Path

LOADED = (
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "pytest",
    "scipy.stats",
    "lesionctl.cli.main",
    "lesionctl.nets.timm_import",
    "lesionctl.prepare.prepare",
    "lesionctl.train.folds",
    "lesionctl.train.loop",
    "lesionctl.cli.eval_tables",
    "lesionctl.evaluate.scoring",
    "lesionctl.evaluate.sides",
    "lesionctl.evaluate.report.report",
    "lesionctl.predict.run",
    "lesionctl.runtime.views",
    "lesionctl.export.export",
)


class Running:
    """One run, with the methods of a `subprocess.Popen`."""

    def __init__(self, program: WarmProgram, pid: int, outputs: list[Path]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._program = program
        self._outputs = outputs
        self._end = os.pidfd_open(pid)

    def poll(self) -> int | None:
        return self._code(0)

    def wait(self, timeout: float = 300) -> int:
        code = self._code(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("lesionctl", timeout)
        return code

    def communicate(self, timeout: float = 300) -> tuple[str, ...]:
        self.wait(timeout)
        return tuple(path.read_text() for path in self._outputs)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _code(self, timeout: float) -> int | None:
        if self.returncode is None and select.select([self._end], [], [], timeout)[0]:
            self.returncode = self._program.ask({"ended": self.pid})
            os.close(self._end)
        return self.returncode


class WarmProgram:
    """The process that is forked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._answer()  # all is loaded: tests take the time of what comes

    def start(
        self, arguments: list[str], environment: dict[str, str], *, cwd: Path | None = None, file: str = ""
    ) -> Running:
        """Start `python -m lesionctl ARGUMENTS`, or `python FILE ARGUMENTS`."""
        self._count += 1
        outputs = [self._folder / f"{self._count}.{name}" for name in ("stdout", "stderr")]
        order = {"arguments": arguments, "environment": environment, "cwd": str(cwd or Path.cwd()), "file": file}
        return Running(self, self.ask({**order, "outputs": list(map(str, outputs))}), outputs)

    def ask(self, order: dict) -> int:
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        return self._answer()

    def _answer(self) -> int:
        answer = self._process.stdout.readline()
        assert answer, "the process that is forked has ended"
        return int(answer)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


def _serve() -> dict | None:
    """Fork for each order that comes; what is returned is the order, in the fork, or nothing, at the end."""
    answers = os.dup(1)
    os.write(answers, b"0\n")
    while line := sys.stdin.readline():
        order = json.loads(line)
        if "ended" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["ended"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                os.close(answers)
                return order
        os.write(answers, f"{answer}\n".encode())
    return None


def _become(order: dict) -> None:
    sys.stdin = Path(os.devnull).open()  # noqa: SIM115 - open until the process ends
    os.dup2(sys.stdin.fileno(), 0)
    for number, path in enumerate(order["outputs"], start=1):
        output = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(output, number)
        os.close(output)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv[1:] = order["arguments"]
    try:
        if order["file"]:
            runpy.run_path(order["file"], run_name="__main__")
        else:
            runpy.run_module("lesionctl", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        _end["code"] = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    except BaseException:
        _end["code"] = 1
        raise


def _leave() -> None:
    """End without giving back the memory piece by piece, which would first copy what the processes share."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_end["code"])


if __name__ == "__main__":
    _end = {"code": 0}
    atexit.register(_leave)  # what is registered first is run last
    for name in LOADED:
        __import__(name)
    gc.freeze()  # a fork need not look at, and so copy, what is there before it
    if (given := _serve()) is not None:
        _become(given)
