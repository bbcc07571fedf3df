"""Tables of metadata: CSV files with a header and a row for each picture."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from lesionctl.errors import BadFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ID_COLUMNS = ("isic_id", "image_id", "image_name", "id", "image")
"""Columns that may hold a picture's id, the surest first."""

_NOTHING = frozenset({"", "-", "?", "na", "n/a", "nan", "none", "null", "unknown"})


def is_nothing(cell: str) -> bool:
    """Whether a cell says nothing: it is empty, or a word for that such as "NA" or "unknown"."""
    return cell.strip().lower() in _NOTHING


def id_column(columns: Iterable[str]) -> str:
    """The column that holds the pictures' ids: the first of `ID_COLUMNS` that is there, else the table's first.

    Args:
        columns: At least one, in the table's order.
    """
    names = list(columns)
    return next((name for name in ID_COLUMNS if name in names), names[0])


def read_table(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with a header, by column, each with the number of its (last) line in the file.

    A cell that is missing is empty.

    Raises:
        BadFile: The file cannot be read, or holds something else.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            for row in reader:
                if None in row:
                    raise BadFile(path, f"line {reader.line_num} has more cells than the header")
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadFile(path, f"is no table that can be read ({error})") from error
