"""The process of one case, from outside: it is started, asked, and ended."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from lesionctl.bench.relay import Begun, Ended, Moved, Relay
from lesionctl.bench.worker import Assignment, Refusal
from lesionctl.errors import ExitCode, LesionctlError
from lesionctl.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from lesionctl.bench.case import Case

Begin: TypeAlias = "Callable[[Case], CaseProcess]"
"""Starts the process of a case."""

# With the paths of this process: a file in the folder where a person works is no module.
_PROGRAM = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from lesionctl.bench.worker import main; main()"


class CaseFailed(LesionctlError):
    """A case could not do what it was asked for.

    Args:
        refusal: What it said.

    Attributes:
        is_lack: The machine lacks what the case needs.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason, refusal.hint)
        self.exit_code = refusal.exit_code
        self.is_lack = refusal.is_lack


class CaseProcess:
    """A case in a process of its own, which ends with the `with` block, or when this process does, however that ends.

    Args:
        assignment: What it is for.
        scratch: A folder for its temporary files and what its libraries say.

    Attributes:
        began: When it was started, by `time.monotonic`.
    """

    def __init__(self, assignment: Assignment, scratch: Path) -> None:
        self._ended = False
        self._log = scratch / f"{len(list(scratch.iterdir()))}.log"
        self.began = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "TMPDIR": str(scratch), **_grant(assignment.case.threads)},
                start_new_session=True,  # Ctrl-C in a terminal is for the one that asks; it ends this one
            )
        with suppress(BrokenPipeError):  # it is gone already: the first answer, which does not come, tells
            self._send(assignment)

    def ask(self, name: str, *arguments: Any, progress: Progress | None = None, about: str = "") -> Any:
        """Ask for something and wait for it.

        Args:
            name: A method of `Worker`.
            arguments: What it takes.
            progress: Who listens to how far it is; no other task of that listener may be open.
            about: What the listener is told that it is about.

        Raises:
            CaseFailed: It could not do it, or its process died.
        """
        try:
            self._send((name, arguments))
            assert self._process.stdout is not None
            with Relay(progress or Silent(), about) as relay:
                while isinstance(answer := pickle.load(self._process.stdout), Begun | Moved | Ended):
                    relay.pass_on(answer)
        except (EOFError, OSError, pickle.UnpicklingError):
            raise CaseFailed(self._death()) from None
        if isinstance(answer, Refusal):
            raise CaseFailed(answer)
        return answer

    def end(self) -> None:
        """End it, and whatever it has started; once, for its number may be another process's later."""
        if self._ended:
            return
        self._ended = True
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        self._process.wait()

    def __enter__(self) -> Self:
        """Nothing more: it lives already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.end()

    def _send(self, message: Any) -> None:
        assert self._process.stdin is not None
        pickle.dump(message, self._process.stdin)
        self._process.stdin.flush()

    def _death(self) -> Refusal:
        code = self._process.wait()
        how = f"its process ended with exit code {code}"
        if code < 0:
            name = signal.Signals(-code).name
            out_of_memory = ", as the system does where memory is out" if name == "SIGKILL" else ""
            how = f"its process was killed by {name}{out_of_memory}"
        lines = self._log.read_text(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return Refusal(f"{how} ({said})" if said else how, None, ExitCode.FAILED)


def _grant(threads: int) -> Mapping[str, str]:
    """The environment that lets every runtime use so many threads; this process's own where it is 0."""
    return {"SLURM_CPUS_PER_TASK": str(threads), "OMP_NUM_THREADS": str(threads)} if threads else {}
