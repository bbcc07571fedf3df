"""What a page of help is made of. The terminal and the manual each set the same blocks in their own way.

In its texts, what stands in `backticks` is typed as it stands, *such* words stand for another one, and names of options
and of the program's variables need no mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from lesionctl.cli.documents.program import Example

NO_BREAK = "\N{NO-BREAK SPACE}"
"""A space at which no line ends."""

_MARKED = re.compile(
    r"`(?P<typed>[^`]+)`"
    r"|\*(?P<replaced>[^\s*`]+)\*"
    r"|(?<![\w/])(?P<option>--?[a-z0-9][a-z0-9-]*)"
    r"|\b(?P<variable>(?:LESIONCTL|SLURM)_[A-Z0-9_]*[A-Z0-9])"
)
_WORD = r"""(?:[^\s'"]|'[^']*'|"[^"]*")+"""
_STAYS_WHOLE = re.compile(rf"--\w[\w-]* (?![-|>]){_WORD}|{_WORD}")  # an option keeps its value
_GOES_ON = " \\"


class Style(Enum):
    """How a stretch of text is set."""

    PLAIN = auto()
    TYPED = auto()
    """As it is typed: bold."""
    REPLACED = auto()
    """A person puts another word for it: italic, or underlined."""


@dataclass(frozen=True)
class Heading:
    """The title of a part; a lower one belongs to the part that it stands in."""

    text: str
    lower: bool = False


@dataclass(frozen=True)
class Paragraph:
    """Sentences."""

    text: str


@dataclass(frozen=True)
class Item:
    """A term, and what there is to say of it, in a paragraph or some."""

    term: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """A file as it stands, line by line."""

    text: str


Block = Heading | Paragraph | Item | Example | Listing


def spans(text: str) -> Iterator[tuple[str, Style]]:
    """The stretches of a text without its marks, each with its style; none is empty."""
    end = 0
    for match in _MARKED.finditer(text):
        if match.start() > end:
            yield text[end : match.start()], Style.PLAIN
        if match["replaced"]:
            yield match["replaced"], Style.REPLACED
        else:
            yield match["typed"] or match["option"] or match["variable"], Style.TYPED
        end = match.end()
    if end < len(text):
        yield text[end:], Style.PLAIN


def break_command(command: str, width: int) -> list[str]:
    """A command on lines that can be typed as they stand: all but the last end with a backslash.

    Args:
        command: On one line; it is broken at spaces outside quotation marks alone.
        width: Characters; a longer word has a line of its own.
    """
    first, *others = _STAYS_WHOLE.findall(command)
    lines = [first]
    for number, word in enumerate(others, start=1):
        room = width if number == len(others) else width - len(_GOES_ON)
        if len(f"{lines[-1]} {word}") <= room:
            lines[-1] += f" {word}"
        else:
            lines[-1] += _GOES_ON
            lines.append(f"    {word}")
    return lines
