"""The Terminal: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lesionctl.cli.terminal.bars import BarLine
from lesionctl.cli.terminal.count import Count, in_words
from lesionctl.cli.terminal.libraries import hear_libraries
from lesionctl.cli.terminal.log_file import Level, LogFile, arguments, exit_code
from lesionctl.cli.terminal.streams import (
    Colour,
    can_draw,
    discard,
    is_terminal,
    is_text,
    open_closed_streams,
    unwritable,
    wants_colour,
    width_for_text,
    width_of,
)
from lesionctl.cli.terminal.tables import growing_row, heading_of, number_text, paragraph_text, table_text
from lesionctl.cli.terminal.tasks import LoggedTask, timed_line
from lesionctl.errors import ExitCode, LesionctlError
from lesionctl.progress import Task, Unit

_COLOUR_VARIABLE = "LESIONCTL_COLOR"
_WIDEST = 100  # columns of a line of words
_YELLOW, _RED, _CYAN, _DIM = "1;33", "1;31", "1;36", "2"


class Terminal:
    """What a command says, and to which stream. It is the `Progress` that the commands pass to the wings.

    As a context, it ends the log file with the exit code that the block leaves with.

    Attributes:
        quiet: Say nothing on stderr but warnings and errors.
        verbose: Say on stderr what was chosen, and how long it took.
        debug: Show the traceback of an error.
        offline: Never open a network connection.
    """

    def __init__(self) -> None:
        self.quiet = False
        self.verbose = False
        self.debug = False
        self.offline = False
        self._colour = Colour.AUTO
        self._log: LogFile | None = None
        self._bars = BarLine()
        self._headings: list[str] = []
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        """Make sure that there are streams to write to."""
        open_closed_streams()
        if os.environ.get(_COLOUR_VARIABLE) in set(Colour):  # for what is shown before options are read, such as help
            self.choose_colour(Colour(os.environ[_COLOUR_VARIABLE]))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write out what stdout holds still, and end the log file."""
        code = exit_code(error)
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            discard(sys.stdout)
        except OSError as full:
            discard(sys.stdout)
            if code == ExitCode.DONE:
                self.error(unwritable(full))
                code = ExitCode.FAILED
        self._end(code)
        if code != exit_code(error):
            sys.exit(code)

    def choose_colour(self, choice: Colour) -> None:
        """Colour as a person chose; processes that are begun here are told."""
        self._colour = choice
        if choice is Colour.NEVER:
            os.environ["NO_COLOR"] = "1"
        elif choice is Colour.ALWAYS:
            os.environ["FORCE_COLOR"] = "1"
            os.environ.pop("NO_COLOR", None)

    @property
    def is_coloured(self) -> bool:
        """Whether results may be coloured and set in bold."""
        return self._coloured(out=True)

    def open_log(self, path: Path) -> None:
        """Have all that is said appended to a file too.

        Raises:
            UsageError: It cannot be opened.
        """
        self._log = LogFile(path, arguments())

    def hear_libraries(self) -> None:
        """Tell of what libraries warn of, as a detail, where somebody asked for details; else let them be silent."""
        hear_libraries(self.detail if self.verbose or self._log else None)

    # results, on stdout

    def line(self, text: str) -> None:
        """A result of one line, such as a path, as it is.

        Raises:
            LesionctlError: It cannot be written.
            BrokenPipeError: Nobody reads it.
        """
        self._write(text + "\n")

    def paragraph(self, text: str) -> None:
        """A result in words: on a terminal in lines that end between words, elsewhere in one."""
        width = width_for_text()
        self._write(paragraph_text(text, width and min(width, _WIDEST), "  ") + "\n")

    def json(self, value: Any, *, indent: int | None = 2) -> None:
        """A result for programs; without an indent, on one line."""
        text = json.dumps(value, indent=indent, ensure_ascii=False)
        # A file's name that is no text would be no JSON either, unless it is escaped.
        self.line(text if is_text(text) else json.dumps(value, indent=indent))

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A result for people: the first column holds names, the others numbers."""
        self._write(table_text(title, columns, rows, width_for_text(), colour=self._coloured(out=True)))

    # everything else, on stderr

    def say(self, message: str) -> None:
        """A line that a person wants to read."""
        self._tell(Level.INFO, message, shown=not self.quiet)

    def detail(self, message: str) -> None:
        """A line for a person who wants to know all."""
        self._tell(Level.DEBUG, message, shown=self.verbose and not self.quiet, style=_DIM)

    def warn(self, message: str) -> None:
        """A line that a person should read even when all goes well."""
        self._tell(Level.WARNING, message, label="warning", style=_YELLOW)

    def error(self, error: LesionctlError) -> None:
        """What went wrong, and what to do about it; with the traceback where that was asked for."""
        if self.debug:
            import traceback

            self._tell(Level.ERROR, traceback.format_exc().rstrip("\n"))
        self._tell(Level.ERROR, error.what, label="error", style=_RED)
        if error.hint:
            self._tell(Level.ERROR, error.hint, label="hint", style=_CYAN)

    @contextmanager
    def task(
        self, description: str, total: int | None = None, *, unit: Unit = "steps", done: int = 0
    ) -> Iterator[Task]:
        """A bar on a terminal; elsewhere, and in the log file, a line every ten seconds."""
        count = Count(description, total, unit, done)
        drawn = not self.quiet and can_draw(sys.stderr)
        self._bars.colour = self._coloured()

        def log(line: str) -> None:
            if not drawn:
                self._show(timed_line(line) if not self.quiet else "")
            self._record(Level.INFO, line)

        task = LoggedTask(count, log)
        with self._bars.showing(count) if drawn else nullcontext():
            yield task
        task.close()
        amount = f"{count.amount()} in " if count.done or count.total else ""
        self.detail(f"{description}: {amount}{in_words(count.seconds)}")

    def row(self, values: Mapping[str, float]) -> None:
        """A row of a table that grows line by line, above the bar; elsewhere a log line."""
        texts = {name: number_text(value) for name, value in values.items()}
        line = "  ".join(f"{name} {text}" for name, text in texts.items())
        self._record(Level.INFO, line)
        if self.quiet:
            return
        if not is_terminal(sys.stderr):
            self._show(line)
            return
        headings = [heading_of(name) for name in values]
        lines = growing_row(
            list(zip(headings, texts.values(), strict=True)),
            width_of(sys.stderr),
            with_headings=headings != self._headings,
        )
        self._headings = headings
        self._show("\n".join(lines))

    def _tell(self, level: Level, message: str, *, label: str = "", style: str = "", shown: bool = True) -> None:
        self._record(level, message)
        if not shown:
            return
        # What a hint says to type is to be copied: it is left to the terminal, which knows that it is one line.
        is_command = label == "hint" and "lesionctl " in message
        width = width_of(sys.stderr) if is_terminal(sys.stderr) and not is_command else None
        text = paragraph_text(f"{label}: {message}" if label else message, width, "  ")
        if style and self._coloured():
            coloured = f"{label}:" if label else text
            text = f"\x1b[{style}m{coloured}\x1b[0m{text.removeprefix(coloured)}"
        self._show(text)

    def _show(self, text: str) -> None:
        """Put lines on stderr, above the bar; where it has been closed or is full, the work goes on."""
        if not text:
            return
        with self._bars.aside():
            try:
                sys.stderr.write(text + "\n")
                sys.stderr.flush()
            except OSError:
                discard(sys.stderr)

    def _record(self, level: Level, message: str) -> None:
        if self._log is not None:
            self._log.write(level, message)

    def _write(self, text: str) -> None:
        with ExitStack() as stack:
            if is_terminal(sys.stdout):  # results go above the bar only where both are on a terminal
                stack.enter_context(self._bars.aside())
            try:
                sys.stdout.write(text)
                sys.stdout.flush()
            except BrokenPipeError:
                raise
            except OSError as error:
                discard(sys.stdout)
                raise unwritable(error) from error

    def _coloured(self, *, out: bool = False) -> bool:
        stream = sys.stdout if out else sys.stderr
        return wants_colour(self._colour, os.environ, on_terminal=can_draw(stream))

    def _end(self, code: int) -> None:
        if self._log is not None:
            self._log.close(code)
            self._log = None
        self.detail(f"exit code {code} after {in_words(time.monotonic() - self._began)}")
