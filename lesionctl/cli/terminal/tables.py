"""Tables for people, as wide as what they hold, in what room there is."""

from __future__ import annotations

import io
from collections.abc import Sequence

from lesionctl.cli.terminal.streams import printable

_NARROWEST_TEXT = 20  # cells of a column of sentences that is worth reading
_BETWEEN = 3  # cells between two columns
_MARGIN = 1  # before the first


def table_text(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None, *, colour: bool
) -> str:
    """A table as it is shown, with an end of line.

    What fits stands in columns, where sentences may go on in a second line. What does not is shown row by row: the
    name, and beneath it a line for each column. No word is ever cut.

    Args:
        title: Above the table; it goes on in further lines between words.
        columns: Headings; the first column holds names, the others numbers. A heading may have several lines.
        rows: Their cells.
        width: Columns of the terminal; None: there is none, and nothing is folded.
        colour: Whether headings may be bold.
    """
    heading = f"{_bold(paragraph_text(title, width), colour)}\n"
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = _fit(columns, cells, width)
    return heading + (
        _in_columns(columns, cells, widths, colour) if widths else _row_by_row(columns, cells, width, colour)
    )


def paragraph_text(text: str, width: int | None, indent: str = "") -> str:
    """A text in lines that end between words; a word that is longer than a line is left whole.

    Args:
        text: Its own ends of lines are kept.
        width: Columns of the terminal; None: lines are as long as they are.
        indent: Before the lines that go on, beside what stands before the first.
    """
    from rich.cells import cell_len

    if width is None:
        return printable(text)
    lines = []
    for part in printable(text).split("\n"):
        words = part.lstrip(" ")
        own = " " * (len(part) - len(words))
        first, *rest = words.split(" ")
        line = own + first
        for word in rest:
            if cell_len(f"{line} {word}") > width:
                lines.append(line)
                line = own + indent + word
            else:
                line = f"{line} {word}"
        lines.append(line)
    return "\n".join(lines)


def _fit(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[int]:
    """The width of each column; none where a table would have to cut words or break up numbers."""
    from rich.cells import cell_len

    stacks = [[columns[place], *(row[place] for row in rows)] for place in range(len(columns))]
    widths = [max(cell_len(line) for cell in stack for line in cell.split("\n")) for stack in stacks]
    over = 0 if width is None else _MARGIN + sum(widths) + _BETWEEN * (len(widths) - 1) - width
    if over <= 0:
        return widths
    widest = max(range(len(widths)), key=widths.__getitem__)
    words = [word for cell in stacks[widest] for word in cell.split()]
    left = widths[widest] - over
    if left < max([_NARROWEST_TEXT, *map(cell_len, words)]):
        return []
    return [left if place == widest else own for place, own in enumerate(widths)]


def _in_columns(columns: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], colour: bool) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, (column, own) in enumerate(zip(columns, widths, strict=True)):
        table.add_column(Text(column), justify="right" if place else "left", width=own)
    for row in rows:
        table.add_row(*map(Text, row))
    written = io.StringIO()
    console = Console(
        file=written,
        width=sum(widths) + _BETWEEN * len(widths),
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        legacy_windows=False,
        highlight=False,
    )
    console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in written.getvalue().splitlines())


def _row_by_row(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None, colour: bool) -> str:
    from rich.cells import cell_len

    names = [" ".join(column.split()) for column in columns]
    aligned = max(map(cell_len, names[1:]), default=0)
    lines = [""]
    for name, *values in rows:
        lines.append(_bold(paragraph_text(name, width, "  "), colour))
        for column, value in zip(names[1:], values, strict=True):
            if not value:
                continue
            gap = " " * (aligned - cell_len(column) + 2)
            if width is not None and cell_len(value) + aligned + 4 > width:
                gap = "  "
            line = f"  {column}{gap}{value}"
            if width is not None and cell_len(line) > width:
                line = f"  {column}\n    {paragraph_text(value, width, '    ')}"
            lines.append(line)
        lines.append("")
    return "\n".join(lines) + "\n"


def _bold(text: str, colour: bool) -> str:
    return f"\x1b[1m{text}\x1b[0m" if colour else text


def growing_row(values: Sequence[tuple[str, str]], width: int, *, with_headings: bool) -> list[str]:
    """A row of a table that grows line by line, in lines that fit.

    Args:
        values: Names of columns, and what stands in them.
        width: Columns of the terminal.
        with_headings: Whether the names are to stand above it.

    Returns:
        The names and the values in columns of eight characters or more; where these do not fit, names beside values.
    """
    widths = [max(8, len(name)) for name, _ in values]
    if sum(widths) + 2 * (len(widths) - 1) > width:
        text = "  ".join(f"{name}\0{value}" for name, value in values)  # a name stays with its value
        parts, lines = text.split("  "), [""]
        for part in parts:
            longer = f"{lines[-1]}  {part}" if lines[-1].strip() else lines[-1] + part
            if len(longer) > width and lines[-1].strip():
                lines.append(f"  {part}")
            else:
                lines[-1] = longer
        return [line.replace("\0", " ") for line in lines]
    row = "  ".join(f"{value:>{own}}" for (_, value), own in zip(values, widths, strict=True))
    names = "  ".join(f"{name:>{own}}" for (name, _), own in zip(values, widths, strict=True))
    return [names, row] if with_headings else [row]


def heading_of(name: str) -> str:
    """A short heading for the column of a figure."""
    return name.removeprefix("val_").replace("thresholded_", "th. ").replace("images_per_second", "img/s")


def number_text(value: float) -> str:
    """A number in so many digits as it is worth."""
    if float(value).is_integer():
        return str(int(value))
    return f"{value:.4f}" if 0.01 <= abs(value) < 10 else f"{value:.4g}"
