"""A page of the manual in man(7)'s language, in ASCII alone: every man program of the last decades reads it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from lesionctl.cli.documents.blocks import (
    NO_BREAK,
    Block,
    Heading,
    Item,
    Listing,
    Paragraph,
    Style,
    break_command,
    spans,
)

_WIDTH = 79
_EXAMPLE_WIDTH = 66  # of 80 columns, what the margins leave


def escape(text: str) -> str:
    """Text that is set as it stands, hyphens as they are typed."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = text.replace(NO_BREAK, "\\~")
    return "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in text)


def bold(text: str) -> str:
    """What is typed as it stands."""
    return f"\\fB{escape(text)}\\fR"


def italic(text: str) -> str:
    """What a person puts another word for."""
    return f"\\fI{escape(text)}\\fR"


def prose(text: str) -> str:
    """A text of a block: what is typed in bold, what stands for something in italics."""
    set_as = {Style.PLAIN: lambda plain: escape(plain).replace("\\-", "-"), Style.TYPED: bold, Style.REPLACED: italic}
    return "".join(set_as[style](stretch) for stretch, style in spans(text))


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

    def add(self, *blocks: Block) -> None:
        """Set blocks, one below the other; a text in them is marked as `blocks` has it."""
        for block in blocks:
            if isinstance(block, Heading):
                self._lines.append(
                    f'.SS "{escape(block.text)}"' if block.lower else f'.SH "{escape(block.text.upper())}"'
                )
            elif isinstance(block, Paragraph):
                self._begin_paragraph()
                self._say(prose(block.text))
            elif isinstance(block, Item):
                self._item(block)
            elif isinstance(block, Listing):
                self._as_it_stands(block.text.splitlines())
            else:
                comment = [f"# {line}" for line in textwrap.wrap(block.purpose, _EXAMPLE_WIDTH - 2)]
                self._as_it_stands([*comment, *break_command(block.command, _EXAMPLE_WIDTH)])

    def name(self, name: str, summary: str) -> None:
        """The section that `man -k` searches."""
        self.add(Heading("Name"))
        self._say(f"{escape(name)} \\- {prose(summary[0].lower() + summary[1:].rstrip('.'))}")

    def text(self) -> str:
        """The whole page."""
        return "\n".join(self._lines) + "\n"

    def _item(self, item: Item) -> None:
        first, *more = item.paragraphs
        self._lines += [".TP", _guard(prose(item.term))]
        self._say(prose(first))
        for paragraph in more:
            self._lines.append(".IP")
            self._say(prose(paragraph))

    def _as_it_stands(self, lines: Iterable[str]) -> None:
        self._begin_paragraph()
        self._lines += [".in +4n", ".nf", *(_guard(escape(line)) for line in lines), ".fi", ".in"]

    def _begin_paragraph(self) -> None:
        if not self._lines[-1].startswith((".SH", ".SS")):
            self._lines.append(".PP")

    def _say(self, roff: str) -> None:
        lines = textwrap.wrap(roff, _WIDTH, break_long_words=False, break_on_hyphens=False)
        self._lines += [_guard(line) for line in lines]


def _guard(line: str) -> str:
    """A line that begins with a dot or an apostrophe is no request."""
    return f"\\&{line}" if line.startswith((".", "'")) else line
