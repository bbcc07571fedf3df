"""The Terminal: results on stdout, everything else on stderr. Nothing else in the program prints."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from lesionctl.errors import LesionctlError
from lesionctl.progress import Task, Unit, format_bytes

_LOG_EVERY = 10.0  # seconds between log lines where there is no terminal to draw a bar on


class Terminal:
    """What a command says, and to which stream. It is the `Progress` that the commands pass to the wings.

    Attributes:
        quiet: Say nothing on stderr but warnings and errors.
        debug: Show the traceback of an error.
        offline: Never open a network connection.
    """

    def __init__(self) -> None:
        self.quiet = False
        self.debug = False
        self.offline = False
        self._out = Console(soft_wrap=True, highlight=False)
        self._err = Console(stderr=True, soft_wrap=True, highlight=False)
        self._columns: list[str] = []

    # results, on stdout

    def line(self, text: str) -> None:
        """A result of one line, such as a path, as it is."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def json(self, value: Any, *, indent: int | None = 2) -> None:
        """A result for programs; without an indent, on one line."""
        text = json.dumps(value, indent=indent, ensure_ascii=False)
        # A file's name that is no text would be no JSON either, unless it is escaped.
        self.line(text if _is_text(text) else json.dumps(value, indent=indent))

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A result for people: the first column holds names, the others numbers."""
        table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
        for position, column in enumerate(columns):
            table.add_column(column, justify="right" if position else "left", overflow="fold")
        for row in rows:
            table.add_row(*row)
        self._out.print(table)

    # everything else, on stderr

    def say(self, message: str) -> None:
        """A line that a person wants to read."""
        if not self.quiet:
            self._err.print(Text(message))

    def warn(self, message: str) -> None:
        """A line that a person should read even when all goes well."""
        self._err.print(Text.assemble(("warning: ", "bold yellow"), message))

    def error(self, error: LesionctlError) -> None:
        """What went wrong, and what to do about it; with the traceback where that was asked for."""
        if self.debug:
            self._err.print_exception()
        self._err.print(Text.assemble(("error: ", "bold red"), error.what))
        if error.hint:
            self._err.print(Text.assemble(("hint: ", "bold cyan"), error.hint))

    @contextmanager
    def task(
        self, description: str, total: int | None = None, *, unit: Unit = "steps", done: int = 0
    ) -> Iterator[Task]:
        """A bar on a terminal; elsewhere a log line every ten seconds."""
        if self.quiet:
            yield _HiddenTask()
            return
        count = _Count(total, unit, done)
        if self._err.is_terminal:
            yield from self._bar(description, count)
        else:
            log = _LogTask(self, description, count)
            yield log
            log.close()

    def row(self, values: Mapping[str, float]) -> None:
        """A row of a table that grows line by line, above the bar; elsewhere a log line."""
        texts = {name: _number(value) for name, value in values.items()}
        if not self._err.is_terminal:
            self.say("  ".join(f"{name} {text}" for name, text in texts.items()))
            return
        if list(values) != self._columns:
            self._columns = list(values)
            self.say("  ".join(f"{_heading(name):>8}" for name in values))
        self.say("  ".join(f"{text:>{max(8, len(_heading(name)))}}" for name, text in texts.items()))

    def _bar(self, description: str, count: _Count) -> Iterator[Task]:
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[amount]}"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}"),
            console=self._err,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # results go above the bar only where both are on a terminal
        )
        task = bar.add_task(
            description, total=count.total, completed=count.done, amount=count.amount(), rate="", note=""
        )
        with bar:
            yield _BarTask(bar, task, count)


class _Count:
    """How much of a piece of work is done, in words; several threads may add to it."""

    def __init__(self, total: int | None, unit: Unit, done: int) -> None:
        self.total = total
        self.done = self._before = done
        self._bytes = unit == "bytes"
        self._began = time.monotonic()
        self._lock = Lock()

    def add(self, steps: int) -> None:
        with self._lock:
            self.done += steps

    def amount(self) -> str:
        if self._bytes:
            return format_bytes(self.done, self.total)
        return str(self.done) if self.total is None else f"{self.done}/{self.total}"

    def rate(self) -> str:
        rate = self._rate()
        return f"{format_bytes(rate)}/s" if self._bytes else f"{rate:.1f}/s"

    def time_left(self) -> str:
        """Such as `4 min left`; nothing where nobody can know."""
        rate = self._rate()
        if self.total is None or rate <= 0 or self.done >= self.total:
            return ""
        seconds = (self.total - self.done) / rate
        if seconds < 90:
            return f"{seconds:.0f} s left"
        return f"{seconds / 60:.0f} min left" if seconds < 5400 else f"{seconds / 3600:.1f} h left"

    def _rate(self) -> float:
        return max(self.done - self._before, 0) / max(time.monotonic() - self._began, 1e-9)


class _HiddenTask:
    def advance(self, steps: int = 1) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""


class _BarTask:
    def __init__(self, bar: Progress, task: TaskID, count: _Count) -> None:
        self._bar = bar
        self._task = task
        self._count = count

    def advance(self, steps: int = 1) -> None:
        self._count.add(steps)
        self._bar.update(self._task, advance=steps, amount=self._count.amount(), rate=self._count.rate())

    def note(self, text: str) -> None:
        self._bar.update(self._task, note=text)


class _LogTask:
    def __init__(self, terminal: Terminal, description: str, count: _Count) -> None:
        self._terminal = terminal
        self._description = description
        self._count = count
        self._said = count.done
        self._note = ""
        self._began = self._logged = time.monotonic()
        self._lock = Lock()

    def advance(self, steps: int = 1) -> None:
        self._count.add(steps)
        with self._lock:
            if time.monotonic() - self._logged >= _LOG_EVERY:
                self._log()

    def note(self, text: str) -> None:
        self._note = text

    def close(self) -> None:
        if self._logged > self._began and self._count.done > self._said:  # short work needs no line
            self._log()

    def _log(self) -> None:
        self._logged, self._said = time.monotonic(), self._count.done
        speed = ", ".join(filter(None, (self._count.rate(), self._count.time_left())))
        clock = time.strftime("%H:%M:%S")
        self._terminal.say(f"{clock} {self._description} {self._count.amount()} ({speed}) {self._note}".rstrip())


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _heading(name: str) -> str:
    return name.removeprefix("val_").replace("thresholded_", "th. ").replace("images_per_second", "img/s")


def _number(value: float) -> str:
    if float(value).is_integer():
        return str(int(value))
    return f"{value:.4f}" if 0.01 <= abs(value) < 10 else f"{value:.4g}"
