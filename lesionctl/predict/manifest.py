"""Which masks in a folder this program has made, of which pictures and with which model.

It is what lets an interrupted run go on, and what keeps one model's masks from being taken for another's. A line is
written before its mask gets its name: a mask without a line is somebody else's, a line without a mask is work not done.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from lesionctl.errors import LesionctlError, UsageError
from lesionctl.predict.records import Prediction

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from lesionctl.predict.jobs import Job
    from lesionctl.predict.shard import Shard

FOLDER = ".lesionctl"
"""Where the manifests lie in a folder of masks: one for each share, so that no two processes write to one file."""


class Existing(StrEnum):
    """What to do with masks that exist already and are not those that would be made."""

    REFUSE = "refuse"
    OVERWRITE = "overwrite"
    """Make all anew."""
    REPLACE = "replace"
    """Make those anew that another model, other settings or another picture gave."""


class _Entry(NamedTuple):
    """What a line says of a mask."""

    recipe: str
    picture: tuple[int, int]
    row: dict[str, Any]


class Manifest:
    """The masks of a folder, and where they come from.

    Args:
        out: The folder for the masks.
        recipe: What the masks depend on beside the picture; see `recipe_of`.
        shard: The share of the pictures that is worked on.

    Raises:
        LesionctlError: The manifest cannot be written.
    """

    def __init__(self, out: Path, recipe: str, shard: Shard) -> None:
        self._out = out
        self._recipe = recipe
        self._entries: dict[str, _Entry] = {}
        self._lock = Lock()
        self.path = out / FOLDER / f"masks.{shard.number}-of-{shard.of}.jsonl"

    def __enter__(self) -> Self:
        """Read what earlier runs wrote, and go on writing."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for path in sorted(self.path.parent.glob("masks.*.jsonl"), key=lambda path: path.stat().st_mtime_ns):
                self._read(path)
            self._file = self.path.open("ab")
            if self._file.tell() and not _ends_with_a_line(self.path):
                self._file.write(b"\n")  # what a killed process left half written stays a line of its own
        except OSError as error:
            raise LesionctlError(f"{error.filename or self.path} cannot be used ({error.strerror or error})") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()

    def done(self, jobs: Iterable[Job], existing: Existing) -> dict[Path, Prediction]:
        """Those masks that are there already, as this run would make them.

        Args:
            jobs: All that is to be done.
            existing: What to do with others.

        Returns:
            By mask file, what was found then.

        Raises:
            UsageError: There are others, and they are not to be made anew.
        """
        if existing is Existing.OVERWRITE:
            return {}
        done, strangers, others = {}, [], []
        for job in jobs:
            if not job.mask.exists():
                continue
            entry = self._entries.get(self._key(job.mask))
            if entry is None:
                strangers.append(job.mask)
            elif entry.recipe != self._recipe or entry.picture != _signature(job.image):
                others.append(job.mask)
            elif all(file.exists() for file in job.files):
                done[job.mask] = Prediction.from_dict(entry.row)
        if strangers:
            raise UsageError(
                f"{_first_of(strangers)}, and nothing says that this program made it",
                hint="--overwrite replaces such masks; or choose another --out",
            )
        if others and existing is Existing.REFUSE:
            raise UsageError(
                f"{_first_of(others)}, of another model, other settings or another picture",
                hint="--skip-existing replaces those alone, --overwrite all; or choose another --out",
            )
        return done

    def record(self, job: Job, prediction: Prediction) -> None:
        """Write down a mask that is about to get its name; several threads may do so.

        Raises:
            OSError: The disk is full, or the folder has become unreachable.
        """
        line = {
            "mask": self._key(job.mask),
            "recipe": self._recipe,
            "picture": _signature(job.image),
            "row": prediction.to_dict(),
        }
        with self._lock:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()

    def _read(self, path: Path) -> None:
        with path.open("rb") as file:
            for line in file:
                try:
                    found = json.loads(line)
                    entry = _Entry(found["recipe"], tuple(found["picture"]), found["row"])
                    self._entries[found["mask"]] = entry
                except (ValueError, KeyError, TypeError):  # cut off by a kill: that mask is made again
                    continue

    def _key(self, mask: Path) -> str:
        return mask.relative_to(self._out).as_posix()


def recipe_of(*parts: object) -> str:
    """A digest of what masks depend on beside the picture: the model's digest, and the options that change a mask."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def _signature(image: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in nanoseconds: what tells that a picture is still the same."""
    try:
        status = image.stat()
    except OSError:
        return (-1, -1)
    return (status.st_size, status.st_mtime_ns)


def _first_of(masks: list[Path]) -> str:
    more = f", and {len(masks) - 1:,} more" if len(masks) > 1 else ""
    return f"{masks[0]} exists already{more}"


def _ends_with_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
