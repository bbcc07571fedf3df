"""What the directory of a training run tells: its options, its environment, its epochs."""

from __future__ import annotations

import csv
import json
import math
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lesionctl.errors import BadFile

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Run:
    """A training run, by its own record.

    Attributes:
        path: Its directory.
        options: What it was asked for, as in `config.toml`; empty where that is missing.
        environment: On what and with what it was made, as in `environment.json`; empty where that is missing.
        history: A row for each epoch, as in `metrics.csv`; what an epoch lacks is NaN.
    """

    path: Path
    options: dict[str, Any]
    environment: dict[str, Any]
    history: list[dict[str, float]]

    @property
    def best(self) -> dict[str, float] | None:
        """The epoch with the highest validation Dice, the first of equals; None where no epoch was validated."""
        judged = [row for row in self.history if not math.isnan(row.get("val_dice", math.nan))]
        return max(judged, key=lambda row: row["val_dice"]) if judged else None


def read_run(path: Path) -> Run:
    """Read the record of a run; of a model that was taken out of its run, some of it may be missing.

    Raises:
        BadFile: One of its files is damaged.
    """
    return Run(path, _read_options(path), _read_environment(path), _read_history(path))


def _read_options(path: Path) -> dict[str, Any]:
    file = path / "config.toml"
    if not file.is_file():
        return {}
    try:
        return dict(tomllib.loads(file.read_text(encoding="utf-8"))["train"])
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise BadFile(file, f"is not the configuration of a run ({error})") from error


def _read_environment(path: Path) -> dict[str, Any]:
    file = path / "environment.json"
    if not file.is_file():
        return {}
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise BadFile(file, f"is not the environment of a run ({error})") from error


def _read_history(path: Path) -> list[dict[str, float]]:
    file = path / "metrics.csv"
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        history = [{name: float(value) if value else math.nan for name, value in row.items()} for row in rows]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise BadFile(file, f"is not the history of a run ({error})") from error
    if not all("epoch" in row for row in history):
        raise BadFile(file, "is not the history of a run: it has no column 'epoch'")
    return history
