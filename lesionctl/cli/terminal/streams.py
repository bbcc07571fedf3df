"""The standard streams: which are terminals, how wide, with colour or not, and what to do where one is closed."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import TextIO

from lesionctl.errors import LesionctlError

_NO_TERMINAL_CODES = frozenset({"dumb", "unknown"})
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tabs and ends of lines


class Colour(StrEnum):
    """Whether output is coloured."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def wants_colour(choice: Colour, variables: Mapping[str, str], *, on_terminal: bool) -> bool:
    """Whether a stream is coloured: as was chosen, else as the environment says, else where it is a terminal.

    Args:
        choice: What the person chose for this program.
        variables: The environment; NO_COLOR comes before FORCE_COLOR and CLICOLOR_FORCE, and these before TERM.
        on_terminal: Whether the stream is one.
    """
    if choice is not Colour.AUTO:
        return choice is Colour.ALWAYS
    if variables.get("NO_COLOR"):
        return False
    if variables.get("FORCE_COLOR") or variables.get("CLICOLOR_FORCE", "0") not in {"", "0"}:
        return True
    return on_terminal and variables.get("TERM") not in _NO_TERMINAL_CODES


def can_draw(stream: TextIO | None) -> bool:
    """Whether a line of a stream can be drawn over: on a terminal that knows the codes for it."""
    if not is_terminal(stream) or os.environ.get("TERM") in _NO_TERMINAL_CODES:
        return False
    if sys.platform == "win32":
        from rich.console import Console

        return not Console(file=stream).legacy_windows
    return True


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal; one that is closed is none."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def width_of(stream: TextIO) -> int:
    """Columns of a terminal as it is now, which a person may change at any time."""
    with suppress(OSError, ValueError):  # a stream that a test has put there
        if columns := os.get_terminal_size(stream.fileno()).columns:
            return columns
    return shutil.get_terminal_size().columns


def width_for_text() -> int | None:
    """Columns for tables and paragraphs: those that COLUMNS says, else the terminal's; None: as many as it takes."""
    if not is_terminal(sys.stdout):
        return None
    return (
        int(columns)
        if (columns := os.environ.get("COLUMNS", "")).isdecimal() and int(columns)
        else width_of(sys.stdout)
    )


def open_closed_streams() -> None:
    """Put a stream that leads nowhere in the place of each that was closed, as by `>&-`.

    Otherwise the next file that is opened, such as a mask, would take its number and be written to by libraries.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            stream = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)  # to the end


def discard(stream: TextIO) -> None:
    """Let all that is written to a stream from now on, and what it holds still, go nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def printable(text: str) -> str:
    r"""A text without what would move the cursor or ring the bell, such as a file's name may hold: `\x1b`."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def unwritable(error: OSError) -> LesionctlError:
    """What is said where stdout takes no more."""
    return LesionctlError(f"results cannot be written to standard output ({error.strerror})")


def is_text(text: str) -> bool:
    """Whether a text can be written as UTF-8: the name of a file need not be."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
