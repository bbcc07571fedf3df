"""The Terminal: results on stdout, everything else on stderr. Nothing else in the program prints."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from lesionctl.errors import LesionctlError
from lesionctl.progress import Task

_LOG_EVERY = 10.0  # seconds between log lines where there is no terminal to draw a bar on


class Terminal:
    """What a command says, and to which stream. It is the `Progress` that the commands pass to the wings.

    Attributes:
        quiet: Say nothing on stderr but warnings and errors.
        debug: Show the traceback of an error.
    """

    def __init__(self) -> None:
        self.quiet = False
        self.debug = False
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
        self.line(json.dumps(value, indent=indent, ensure_ascii=False))

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
    def task(self, description: str, total: int | None = None) -> Iterator[Task]:
        """A bar on a terminal; elsewhere a log line every ten seconds."""
        if self.quiet:
            yield _HiddenTask()
        elif self._err.is_terminal:
            yield from self._bar(description, total)
        else:
            log = _LogTask(self, description, total)
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

    def _bar(self, description: str, total: int | None) -> Iterator[Task]:
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}"),
            console=self._err,
            transient=True,
        )
        task = bar.add_task(description, total=total, rate="", note="")
        with bar:
            yield _BarTask(bar, task)


class _HiddenTask:
    def advance(self, steps: int = 1) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""


class _BarTask:
    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar = bar
        self._task = task
        self._began = time.monotonic()
        self._done = 0

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        rate = self._done / max(time.monotonic() - self._began, 1e-9)
        self._bar.update(self._task, advance=steps, rate=f"{rate:.1f}/s")

    def note(self, text: str) -> None:
        self._bar.update(self._task, note=text)


class _LogTask:
    def __init__(self, terminal: Terminal, description: str, total: int | None) -> None:
        self._terminal = terminal
        self._description = description
        self._total = total
        self._done = 0
        self._said = 0
        self._note = ""
        self._began = self._logged = time.monotonic()

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        if time.monotonic() - self._logged >= _LOG_EVERY:
            self._log()

    def note(self, text: str) -> None:
        self._note = text

    def close(self) -> None:
        if self._logged > self._began and self._done > self._said:  # short work needs no line
            self._log()

    def _log(self) -> None:
        self._logged, self._said = time.monotonic(), self._done
        of_total = "" if self._total is None else f"/{self._total}"
        rate = self._done / max(self._logged - self._began, 1e-9)
        clock = time.strftime("%H:%M:%S")
        self._terminal.say(f"{clock} {self._description} {self._done}{of_total} ({rate:.1f}/s) {self._note}".rstrip())


def _heading(name: str) -> str:
    return name.removeprefix("val_").replace("thresholded_", "th. ").replace("images_per_second", "img/s")


def _number(value: float) -> str:
    if float(value).is_integer():
        return str(int(value))
    return f"{value:.4f}" if 0.01 <= abs(value) < 10 else f"{value:.4g}"
