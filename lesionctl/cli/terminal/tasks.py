"""A piece of work that is told of in lines, every ten seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lesionctl.cli.terminal.count import Count

_EVERY = 10.0  # seconds between two lines


class LoggedTask:
    """A `Task` that keeps count, and tells of it now and then.

    Args:
        count: How much is done.
        log: Is given a line.
    """

    def __init__(self, count: Count, log: Callable[[str], None]) -> None:
        self._count = count
        self._log = log
        self._said = count.done
        self._began = self._logged = time.monotonic()
        self._lock = Lock()

    def advance(self, steps: int = 1) -> None:
        """Say that so many more steps are done."""
        self._count.add(steps)
        with self._lock:
            if time.monotonic() - self._logged >= _EVERY:
                self._tell()

    def note(self, text: str) -> None:
        """Show a few words beside it."""
        self._count.note = text

    def close(self) -> None:
        """Tell how it ended, if it was told of at all: short work needs no line."""
        if self._logged > self._began and self._count.done > self._said:
            self._tell()

    def _tell(self) -> None:
        self._logged, self._said = time.monotonic(), self._count.done
        count = self._count
        speed = ", ".join(filter(None, (count.rate(), count.time_left())))
        self._log(" ".join(filter(None, (count.description, count.amount(), speed and f"({speed})", count.note))))


def timed_line(line: str) -> str:
    """The line with the time of day before it."""
    return f"{time.strftime('%H:%M:%S')} {line}"
