"""A report as GitHub-flavoured Markdown: all that the page says, without its pictures."""

from __future__ import annotations

import re
from functools import singledispatchmethod
from typing import TYPE_CHECKING

from lesionctl.atomic import escape_undecodable
from lesionctl.evaluate.report.document import Facts, Fold, Gallery, Listing, Paragraph, Plot, Table, Tiles

if TYPE_CHECKING:
    from lesionctl.evaluate.report.document import Block, Cell, Document

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$])")
_NO_PICTURES = "Plots and pictures are in the HTML form of this report."


def to_markdown(document: Document) -> str:
    """The text of the file."""
    return escape_undecodable(_Writer(document).text())


def escape(text: str) -> str:
    """Text that Markdown takes as it stands, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("&", "&amp;")


class _Writer:
    def __init__(self, document: Document) -> None:
        self._document = document

    def text(self) -> str:
        document = self._document
        parts = [f"# {escape(document.title)}", f"{escape(document.date)}. {_NO_PICTURES}"]
        for section in document.sections:
            parts += [f"## {escape(section.title)}", *(self._write(block) for block in section.blocks)]
        if document.references:
            lines = [f"{number}. {escape(citation.text)}" for number, citation in document.references]
            parts += ["## References", "\n".join(lines)]
        return "\n\n".join(part for part in parts if part) + "\n"

    @singledispatchmethod
    def _write(self, block: Block) -> str:
        raise TypeError(f"a block of an unknown kind: {type(block)}")

    @_write.register
    def _(self, block: Paragraph) -> str:
        text = " ".join(self._sentence(words.text, words.cites) for words in block.sentences)
        title = f"**{escape(block.title)}.** " if block.title else ""
        return f"> [!WARNING]\n> {title}{text}" if block.warns else title + text

    @_write.register
    def _(self, block: Tiles) -> str:
        return ""  # the same figures stand in the tables

    @_write.register
    def _(self, block: Table) -> str:
        lines = [_row([escape(cell) for cell in block.head]), _row(["---"] + ["---:"] * (len(block.head) - 1))]
        for cells in block.rows:
            if len(cells) == 1:
                lines.append(_row([f"**{escape(cells[0].text)}**"] + [""] * (len(block.head) - 1)))
            else:
                lines.append(_row([self._cell(cell) for cell in cells]))
        note = f"\n\n{escape(block.note)}" if block.note else ""
        return f"**{escape(block.caption)}**\n\n" + "\n".join(lines) + note

    @_write.register
    def _(self, block: Facts) -> str:
        return "\n".join(
            f"- **{escape(term)}**: {escape(words.text)}{self._numbers(words.cites)}" for term, words in block.items
        )

    @_write.register
    def _(self, block: Listing) -> str:
        return "\n".join(f"- {escape(item)}" for item in block.items)

    @_write.register
    def _(self, block: Plot) -> str:
        return f"*Plot:* {escape(block.title)}. {escape(block.caption)}"

    @_write.register
    def _(self, block: Gallery) -> str:
        lines = [f"**{escape(block.title)}.** {escape(block.caption)}", ""]
        for exhibit in block.exhibits:
            told = "; ".join(f"{painting.side}: {painting.scores}" for painting in exhibit.paintings)
            remark = f" ({escape(exhibit.remark)})" if exhibit.remark else ""
            lines.append(f"- **{escape(exhibit.id)}**{remark}: {escape(told)}")
        return "\n".join(lines)

    @_write.register
    def _(self, block: Fold) -> str:
        return "\n\n".join([f"### {escape(block.title)}", *(self._write(inner) for inner in block.blocks)])

    def _sentence(self, text: str, cites: tuple[str, ...]) -> str:
        return f"{escape(text.removesuffix('.'))}{self._numbers(cites)}."

    def _cell(self, cell: Cell) -> str:
        small = f" ({escape(cell.small)})" if cell.small else ""
        return f"{escape(cell.text)}{small}{self._numbers(cell.cites)}"

    def _numbers(self, cites: tuple[str, ...]) -> str:
        numbers = sorted(self._document.numbers[key] for key in cites)
        return f" \\[{', '.join(map(str, numbers))}\\]" if numbers else ""


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
