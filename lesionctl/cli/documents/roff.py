"""A page of the manual in man(7)'s language, in ASCII alone: every man program of the last decades reads it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

_WIDTH = 79
_MARKED = re.compile(r"`([^`]+)`|(?<![\w/])(--?[a-z0-9][a-z0-9-]*)|\b((?:LESIONCTL|SLURM)_[A-Z0-9_]*[A-Z0-9])")


def escape(text: str) -> str:
    """Text that is set as it stands, hyphens as they are typed."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in text)


def bold(text: str) -> str:
    """What is typed as it stands."""
    return f"\\fB{escape(text)}\\fR"


def italic(text: str) -> str:
    """What a person puts another word for."""
    return f"\\fI{escape(text)}\\fR"


def prose(text: str) -> str:
    """A sentence with the names of options and variables, and what stands in `backticks`, in bold."""
    parts, end = [], 0
    for match in _MARKED.finditer(text):
        parts += [escape(text[end : match.start()]).replace("\\-", "-"), bold(match[1] or match[2] or match[3])]
        end = match.end()
    return "".join(parts) + escape(text[end:]).replace("\\-", "-")


class Page:
    """A page that grows from top to bottom.

    Args:
        name: What is looked up.
        section: 1 for commands, 7 for what there is to know about them.
        source: What the page is part of, with its version.
    """

    def __init__(self, name: str, section: int, source: str) -> None:
        self._lines = [
            '.\\" Written by python -m lesionctl.cli.documents from the program itself.',
            f'.TH "{escape(name.upper())}" {section} "" "{escape(source)}" "lesionctl"',
            ".nh",  # a name that is cut at a hyphen is not that name
            ".ad l",
        ]

    def section(self, title: str) -> None:
        """Begin a section, such as OPTIONS."""
        self._lines.append(f'.SH "{escape(title.upper())}"')

    def subsection(self, title: str) -> None:
        """Begin a part of a section."""
        self._lines.append(f'.SS "{escape(title)}"')

    def paragraph(self, roff: str) -> None:
        """Words in roff, after an empty line where words stand before it."""
        if not self._lines[-1].startswith((".SH", ".SS")):
            self._lines.append(".PP")
        self._say(roff)

    def item(self, term: str, roff: Iterable[str]) -> None:
        """A term in roff, and the paragraphs about it, each in roff."""
        first, *more = roff
        self._lines += [".TP", _guard(term)]
        self._say(first)
        for paragraph in more:
            self._lines.append(".IP")
            self._say(paragraph)

    def example(self, text: str) -> None:
        """Lines as they are typed."""
        if not self._lines[-1].startswith((".SH", ".SS")):
            self._lines.append(".PP")
        self._lines += [".in +4n", ".nf", *(_guard(escape(line)) for line in text.splitlines()), ".fi", ".in"]

    def text(self) -> str:
        """The whole page."""
        return "\n".join(self._lines) + "\n"

    def _say(self, roff: str) -> None:
        lines = textwrap.wrap(roff, _WIDTH, break_long_words=False, break_on_hyphens=False)
        self._lines += [_guard(line) for line in lines]


def _guard(line: str) -> str:
    """A line that begins with a dot or an apostrophe is no request."""
    return f"\\&{line}" if line.startswith((".", "'")) else line
