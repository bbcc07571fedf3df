"""A sample: one picture with its mask, its group and its split; a row of `samples.csv`."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from lesionctl.errors import BadFile


class Split(StrEnum):
    """What a sample is for."""

    TRAIN = "train"
    VALIDATION = "val"
    TEST = "test"


@dataclass(frozen=True)
class Sample:
    """One picture with its mask.

    Attributes:
        id: The picture's id, unique within its source.
        source: Name of the folder or set that it came from.
        group: What never stands on two sides of a split: the name of all samples that share a key, directly or through
            others.
        split: What the sample is for.
        fold: Which fold of a cross-validation it is validated in, from 0; None without folds, and for the test split.
        keys: What it shares with others, such as `id=ISIC_0000001`, `lesion_id=IL_1`, `sha256=…`; sorted.
        diagnosis: As the metadata have it, or nothing.
        image: The picture file.
        mask: The mask file.
        height: Height of the upright picture, in pixels.
        width: Width of the upright picture, in pixels.
        lesion_fraction: Share of the picture's pixels that are lesion, in [0, 1].
        sha256: Digest of the picture file's bytes, in hex.
        mask_sha256: Digest of the mask file's bytes, in hex.
    """

    id: str
    source: str
    group: str
    split: Split
    fold: int | None
    keys: tuple[str, ...]
    diagnosis: str
    image: Path
    mask: Path
    height: int
    width: int
    lesion_fraction: float
    sha256: str
    mask_sha256: str


_COLUMNS = [field.name for field in fields(Sample)]


def format_samples(samples: list[Sample]) -> str:
    """The text of a `samples.csv`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for sample in samples:
        values: dict[str, Any] = {**vars(sample), "keys": _join(sample.keys)}
        writer.writerow([values[column] for column in _COLUMNS])
    return text.getvalue()


def read_samples(path: Path) -> list[Sample]:
    """The rows of a `samples.csv`.

    Raises:
        BadFile: The file is missing or a row does not hold a sample.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [
                Sample(
                    id=row["id"],
                    source=row["source"],
                    group=row["group"],
                    split=Split(row["split"]),
                    fold=int(row["fold"]) if row["fold"] else None,
                    keys=split_keys(row["keys"]),
                    diagnosis=row["diagnosis"],
                    image=Path(row["image"]),
                    mask=Path(row["mask"]),
                    height=int(row["height"]),
                    width=int(row["width"]),
                    lesion_fraction=float(row["lesion_fraction"]),
                    sha256=row["sha256"],
                    mask_sha256=row["mask_sha256"],
                )
                for row in csv.DictReader(file)
            ]
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror})") from error
    except (KeyError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise BadFile(path, f"is no list of samples ({error!r})") from error


def _join(keys: tuple[str, ...]) -> str:
    """Keys in one cell of a table; what separates them is escaped within them."""
    return ";".join(key.replace("%", "%25").replace(";", "%3B") for key in keys)


def split_keys(cell: str) -> tuple[str, ...]:
    """The keys in a cell of the column `keys`."""
    return tuple(key.replace("%3B", ";").replace("%25", "%") for key in cell.split(";")) if cell else ()
