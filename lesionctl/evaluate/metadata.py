"""Tables that say more of the pictures: their columns, joined by the pictures' ids."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeAlias

from lesionctl.dataset.table import ID_COLUMNS, id_column, is_nothing, read_table
from lesionctl.errors import BadFile, UsageError, did_you_mean
from lesionctl.evaluate.facts import AUTOMATIC
from lesionctl.evaluate.gaps import Gap
from lesionctl.imaging.decode import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Columns: TypeAlias = Mapping[str, Mapping[str, str]]
"""By a picture's id in its one spelling (see `spell_id`) and column, what a cell says."""


_SEMICOLONS = "a table is separated by semicolons: save it with commas"


def spell_id(name: str) -> str:
    """The one spelling of an id, of those that look the same: letters with marks composed (Unicode's NFC)."""
    return unicodedata.normalize("NFC", name)


def read_columns(tables: Sequence[Path], columns: Sequence[str], ids: Sequence[str]) -> tuple[Columns, list[Gap]]:
    """Columns of metadata, joined by the ids of the pictures.

    An id in a table may have the suffix and the folders of a picture file (`images/A.jpg` is A).

    Args:
        tables: CSV files with a column of ids, one of `ID_COLUMNS` or the first.
        columns: Which columns.
        ids: Of the pictures.

    Returns:
        By id and column, what the first row of the first table says that says something; a column of which none says
        anything is left out. And how many pictures no table has a row of.

    Raises:
        UsageError: No table has one of the columns, or a table has a row of none of the pictures.
        BadFile: A table cannot be read.
    """
    facts: dict[str, dict[str, str]] = defaultdict(dict)
    known: dict[str, None] = {}  # in the tables' order
    named: list[dict[str, str]] = []  # by table, the ids in their one spelling, and as they are written
    for table in tables:
        named.append({})
        for _, row in _read(table):
            known.update(dict.fromkeys(row))
            written = row[id_column(row)].strip()
            if not written:
                continue
            name = _id_of_cell(written)
            named[-1].setdefault(name, written)
            own = facts[name]
            for column in columns:
                if not is_nothing(row.get(column, "")):
                    own.setdefault(column, row[column].strip())
    for column in columns:
        if column not in known:
            raise UsageError(
                f"no table of metadata has the column '{column}'", hint=_what_there_is(column, list(known))
            )
    pictures = {spell_id(name) for name in ids}
    for table, written_ids in zip(tables, named, strict=True):
        if pictures.isdisjoint(written_ids):
            like = next(iter(written_ids.values()), "")
            raise UsageError(
                f"{table} has no row of these pictures: its ids are like '{like}', theirs like '{ids[0]}'",
                hint=f"ids are the names of picture files, in a column {', '.join(ID_COLUMNS)}, or else in the first",
            )
    missing = sum(not any(spell_id(name) in written_ids for written_ids in named) for name in ids) if tables else 0
    gap = Gap(missing, len(ids), f"not in {' or '.join(map(str, tables))}")
    return dict(facts), [gap] if missing else []


def _read(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        yield from read_table(table)
    except BadFile as error:  # decimal commas, for one, are cells more than the header has
        raise BadFile(error.path, error.reason, _SEMICOLONS if _has_semicolons(table) else error.hint) from error


def _has_semicolons(table: Path) -> bool:
    try:
        with table.open(encoding="utf-8", errors="replace") as lines:
            return ";" in next(lines, "")
    except OSError:
        return False


def _id_of_cell(cell: str) -> str:
    path = PurePath(cell)
    return spell_id(path.stem if path.suffix.lower() in IMAGE_SUFFIXES else cell)


def _what_there_is(column: str, known: list[str]) -> str:
    if column in AUTOMATIC:
        return f"'{column}' is automatic: where it is known, it is told without --by"
    if not known:
        return "name the table with --metadata FILE.csv"
    if any(";" in name for name in known):
        return _SEMICOLONS
    return did_you_mean(column, known, most=3, at_least=0.45)
