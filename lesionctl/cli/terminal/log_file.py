"""A file that hears all that a run says, for whoever was not there."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from lesionctl import __version__
from lesionctl.cli.terminal.count import in_words
from lesionctl.cli.terminal.streams import printable
from lesionctl.errors import ExitCode, UsageError


class Level(StrEnum):
    """How much a line matters, in the words of Python's logging."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class LogFile:
    """Lines are appended: the time, the level, the machine and process, and what is said.

    Several processes may write to the same file, as the tasks of a job array do: a message is written at once, where
    the file ends by then.

    Args:
        path: It is made where there is none.
        command: What was typed after the program's name.

    Raises:
        UsageError: The file cannot be opened.
    """

    def __init__(self, path: Path, command: Sequence[str]) -> None:
        import platform
        import shlex

        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        except OSError as error:
            raise UsageError(
                f"--log-file {path} cannot be opened ({error.strerror})", hint="name a file in a folder of your own"
            ) from error
        self._began = time.monotonic()
        self._who = f"{platform.node().partition('.')[0] or 'localhost'}:{os.getpid()}"
        self.write(Level.INFO, shlex.join(["lesionctl", *command]))
        self.write(Level.INFO, f"lesionctl {__version__}, Python {platform.python_version()}, in {Path.cwd()}")

    def write(self, level: Level, message: str) -> None:
        """Append a message; of several lines, each is stamped."""
        from datetime import datetime

        stamp = f"{datetime.now().astimezone().isoformat(timespec='milliseconds')} {level:<7} {self._who}"
        text = "".join(f"{stamp} {printable(line)}\n" for line in message.splitlines() or [""])
        with suppress(OSError):  # a full disk ends the log, not the work
            os.write(self._file, text.encode("utf-8", "backslashreplace"))

    def close(self, code: int) -> None:
        """Say how it ended."""
        level = Level.INFO if code == 0 else Level.ERROR
        self.write(level, f"exit code {code} after {in_words(time.monotonic() - self._began)}")
        os.close(self._file)


def arguments() -> list[str]:
    """What was typed after the program's name."""
    return sys.argv[1:]


def exit_code(error: BaseException | None) -> int:
    """What the shell will see of a program that leaves with this error."""
    if error is None:
        return ExitCode.DONE
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return ExitCode.FAILED
