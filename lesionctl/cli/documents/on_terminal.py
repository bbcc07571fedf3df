"""Blocks as text for a terminal of any width, or for a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

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

WIDEST = 100
"""Characters of a line that is read with ease; a wider terminal stays empty at its right."""

_MARGIN = 2
_ESCAPES = {Style.TYPED: "\033[1m", Style.REPLACED: "\033[4m"}
_END = "\033[0m"
_ESCAPE = re.compile(r"\033\[\d+m")


def set_for_terminal(blocks: Iterable[Block], width: int, *, styled: bool) -> str:
    """The text, without an end of its last line.

    Args:
        blocks: From top to bottom.
        width: Characters of a line. Only what would be wrong in pieces is longer: a file, a long word.
        styled: Whether escape sequences make what is typed bold.
    """
    lines: list[str] = []
    for part in _parts(blocks):
        column = _column(part, min(width, WIDEST))
        before: Block | None = None
        for block in part:
            if lines and not (isinstance(before, Heading) or _are_close(before, block)):
                lines.append("")
            lines += _set(block, min(width, WIDEST), column, styled=styled)
            before = block
    return "\n".join(lines)


def _parts(blocks: Iterable[Block]) -> list[list[Block]]:
    """What stands under each heading but the lower ones; each but the first begins with its heading."""
    parts: list[list[Block]] = [[]]
    for block in blocks:
        if isinstance(block, Heading) and not block.lower:
            parts.append([])
        parts[-1].append(block)
    return parts


def _column(part: Iterable[Block], width: int) -> int:
    """Where the text of items begins: beside the terms if they are short, and below them if the terminal is narrow."""
    most = 26 if width >= 72 else 18 if width >= 56 else 6
    terms = (_length(_style(block.term, styled=False)) for block in part if isinstance(block, Item))
    columns = [_MARGIN + length + 2 for length in terms]
    return max((column for column in columns if column <= most), default=6)


def _are_close(before: Block | None, block: Block) -> bool:
    """Items that follow each other make up a list."""
    return isinstance(before, Item) and isinstance(block, Item)


def _set(block: Block, width: int, column: int, *, styled: bool) -> Iterator[str]:
    if isinstance(block, Heading):
        yield _style(f"`{block.text}`", styled=styled)
    elif isinstance(block, Paragraph):
        yield from _wrap(_style(block.text, styled=styled), width, "", "")
    elif isinstance(block, Item):
        yield from _set_item(block, width, column, styled=styled)
    elif isinstance(block, Listing):
        yield from block.text.splitlines()
    else:
        if block.purpose:
            yield from _wrap(block.purpose, width, "  # ", "  # ")
        yield from (f"{' ' * _MARGIN}{line}" for line in break_command(block.command, width - _MARGIN))


def _set_item(item: Item, width: int, column: int, *, styled: bool) -> Iterator[str]:
    """The term beside what is said of it, or above it where the terminal is narrow or the term long."""
    term = _style(item.term, styled=styled)
    text = _style(" ".join(item.paragraphs), styled=styled)
    length = _length(term)
    if _MARGIN + length + 2 > column:
        yield from _wrap(term, width, " " * _MARGIN, " " * 4)
        beside = " " * column
    else:
        beside = " " * _MARGIN + term + " " * (column - _MARGIN - length)
    yield from _wrap(text, width, beside, " " * column)


def _style(text: str, *, styled: bool) -> str:
    return "".join(
        f"{_ESCAPES[style]}{stretch}{_END}" if styled and style in _ESCAPES else stretch
        for stretch, style in spans(text)
    )


def _wrap(text: str, width: int, first: str, rest: str) -> Iterator[str]:
    """Lines of words; `textwrap` would count escape sequences as characters.

    Args:
        text: Words; there may be escape sequences in them.
        width: Characters that are seen.
        first: What the first line begins with.
        rest: What the others do.
    """
    line, is_empty = first, True
    for word in filter(None, text.split(" ")):
        if not is_empty and _length(line) + 1 + _length(word) > width:
            yield line.replace(NO_BREAK, " ")
            line, is_empty = rest, True
        line += word if is_empty else f" {word}"
        is_empty = False
    yield line.replace(NO_BREAK, " ")


def _length(text: str) -> int:
    return len(_ESCAPE.sub("", text))
