"""Where pairs come from: folders, and the tables of metadata that lie beside them."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lesionctl.dataset.pairs import pair_folders
from lesionctl.errors import BadFile, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from lesionctl.dataset.pairs import Pairing

_ID_COLUMNS = ("isic_id", "image_id", "image", "image_name", "id")
_DEFAULT_GROUP_COLUMNS = ("lesion_id", "patient_id")


@dataclass(frozen=True)
class Source:
    """A folder of pictures and the folder of their masks.

    Attributes:
        name: What its samples are called by in `samples.csv`.
        images: The pictures.
        masks: Their masks.
        metadata: A table that lies with them, if there is one.
    """

    name: str
    images: Path
    masks: Path
    metadata: Path | None = None

    @classmethod
    def from_folder(cls, folder: Path) -> Source:
        """A folder that holds `images/`, `masks/` and perhaps `metadata.csv`.

        Raises:
            UsageError: One of the two is missing.
        """
        images, masks, metadata = folder / "images", folder / "masks", folder / "metadata.csv"
        for part in (images, masks):
            if not part.is_dir():
                raise UsageError(
                    f"{folder} has no folder '{part.name}'",
                    hint="a source holds images/ and masks/; or name them with --images DIR --masks DIR",
                )
        return cls(folder.resolve().name, images, masks, metadata if metadata.is_file() else None)

    def pairs(self) -> Pairing:
        """Its pairs, and the files that found no partner."""
        return pair_folders(self.images, self.masks)


def read_group_keys(tables: list[Path], columns: list[str]) -> dict[str, set[str]]:
    """What each picture shares with others, from tables of metadata.

    Args:
        tables: CSV files with a column of picture ids (isic_id, image_id, image, image_name or id; else the first).
        columns: Columns whose equal values make pictures belong together; by default lesion_id and patient_id, where
            a table has them.

    Returns:
        For a picture's id, keys such as `lesion_id=IL_123`; empty values make no key.

    Raises:
        BadFile: A table cannot be read.
        UsageError: No table has a column that was asked for.
    """
    keys: dict[str, set[str]] = defaultdict(set)
    seen: set[str] = set()
    for table in tables:
        try:
            with table.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file)
                names = list(reader.fieldnames or [])
                wanted = [column for column in columns or _DEFAULT_GROUP_COLUMNS if column in names]
                seen.update(wanted)
                id_column = next((column for column in _ID_COLUMNS if column in names), names[0] if names else "")
                for row in reader:
                    keys[row[id_column]].update(f"{column}={row[column]}" for column in wanted if row[column])
        except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
            raise BadFile(table, f"is no table of metadata that can be read ({error})") from error
    missing = [column for column in columns if column not in seen]
    if missing:
        raise UsageError(
            f"no table of metadata has the column '{missing[0]}'",
            hint="name the table with --metadata FILE.csv" if not tables else None,
        )
    return keys
