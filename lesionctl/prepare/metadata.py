"""What tables say of pictures: which belong together, which split they are meant for, what was diagnosed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lesionctl.dataset.samples import Split, split_keys
from lesionctl.dataset.table import id_column, is_nothing, read_table
from lesionctl.errors import BadFile, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

GROUP_COLUMNS = ("lesion_id", "patient_id", "group")
"""Columns whose equal values make pictures belong together."""

_DIAGNOSIS_COLUMNS = ("diagnosis", "dx", "diagnosis_1")
_SPLITS = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "val": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "validation": Split.VALIDATION,
    "test": Split.TEST,
    "testing": Split.TEST,
}


@dataclass
class Notes:
    """What is known of one picture.

    Attributes:
        keys: Such as `lesion_id=IL_1`; pictures that share one belong together.
        split: The split that it is meant for, if any.
        diagnosis: As the table has it, or nothing.
    """

    keys: set[str] = field(default_factory=set)
    split: Split | None = None
    diagnosis: str = ""


class Metadata:
    """Tables of metadata, joined by the id of the picture.

    A picture has its keys from all tables and its diagnosis from the first that has one. Its split is what a table for
    all sources says, else one of its own source, else one of any other: two sets may mean it for different splits.

    Args:
        group_by: Columns that make pictures belong together; lesion_id, patient_id and group by default.
    """

    def __init__(self, group_by: Sequence[str] = ()) -> None:
        self._group_by = tuple(group_by)
        self._notes: dict[str, Notes] = {}
        self._splits: dict[str, dict[str | None, Split]] = {}
        self._missing = set(group_by)
        self._tables = 0

    def read(self, table: Path, source: str | None = None) -> None:
        """Add what a table says.

        Args:
            table: The file.
            source: The source that it lies with; None: it is for all.

        Raises:
            BadFile: The table cannot be read, or has a split that is none.
        """
        self._tables += 1
        for line, row in read_table(table):
            self.add(source, row[id_column(row)], row, table, line)

    def add(self, source: str | None, image_id: str, row: Mapping[str, str], table: Path, line: int) -> None:
        """Add what one row says of one picture; what an earlier row of its source said of its split stays.

        Args:
            source: The picture's source; None: all.
            image_id: The picture's id.
            row: The row, by column.
            table: Where it stands, for messages.
            line: In which line.

        Raises:
            BadFile: Its split is none.
        """
        self._missing -= set(row)
        notes = self._notes.setdefault(image_id, Notes())
        notes.keys.update(
            f"{name}={row[name]}" for name in self._group_by or GROUP_COLUMNS if not is_nothing(row.get(name, ""))
        )
        if row.get("keys"):  # a store's own list, which says more than the names of its groups
            notes.keys -= {f"group={row.get('group')}"}
            notes.keys.update(key for key in split_keys(row["keys"]) if not key.startswith("sha256="))
        notes.diagnosis = notes.diagnosis or next((row[name] for name in _DIAGNOSIS_COLUMNS if row.get(name)), "")
        if row.get("split"):
            if row["split"].lower() not in _SPLITS:
                raise BadFile(
                    table, f"line {line}: '{row['split']}' is no split", hint="write train, val or test, or nothing"
                )
            self._splits.setdefault(image_id, {}).setdefault(source, _SPLITS[row["split"].lower()])

    def of(self, source: str, image_id: str) -> Notes:
        """What is known of a picture of a source; may be nothing."""
        splits = self._splits.get(image_id, {})
        said_by = next((name for name in (None, source, *splits) if name in splits), None)
        return replace(self._notes.get(image_id) or Notes(), split=splits.get(said_by))

    def check_columns(self) -> None:
        """Complain of a column that was asked for and that no table has.

        Raises:
            UsageError: There is one.
        """
        if self._missing:
            raise UsageError(
                f"no table of metadata has the column '{min(self._missing)}'",
                hint=None if self._tables else "name the table with --metadata FILE.csv",
            )
