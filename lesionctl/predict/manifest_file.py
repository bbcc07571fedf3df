"""The lines of a manifest, each about a mask: one file for each share, so that no two processes write to one."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from lesionctl.atomic import unlock_file
from lesionctl.dataset.own_files import FOLDER, manifests_in
from lesionctl.errors import LesionctlError
from lesionctl.predict.records import Prediction
from lesionctl.predict.same_picture import Signature
from lesionctl.predict.share_lock import take_share

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from lesionctl.predict.shard import Shard

_FORMAT = 1
_ROW = b', "row": '  # no name within a line can look like it, for its quotation marks are escaped
_REPETITIVE = 2  # lines for each mask above which a file is written anew


class Entry(NamedTuple):
    """What a line says of a mask.

    Attributes:
        recipe: See `manifest.recipe_of`.
        picture: What tells whether the picture is still the same.
        digest: See `manifest.digest_of`.
        time: Of the line, in nanoseconds.
        row: What was found in the picture, as JSON.
    """

    recipe: str
    picture: Signature
    digest: str
    time: int
    row: bytes

    @property
    def prediction(self) -> Prediction:
        """What was found in the picture."""
        return Prediction.from_dict(json.loads(self.row))


class ManifestFile:
    """The lines of a share, taken for this process alone; those of the others can be read.

    Args:
        out: The folder for the masks.
        shard: The share.

    Raises:
        LesionctlError: The file cannot be written, or another process is working on some of the same pictures.
    """

    def __init__(self, out: Path, shard: Shard) -> None:
        self.path = out / FOLDER / f"masks.{shard.number}-of-{shard.of}.jsonl"
        self._out = out
        self._writing = Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._share = take_share(self.path, shard)
            try:
                self._file = self._open()
            except BaseException:
                unlock_file(self._share)
                raise
        except OSError as error:
            raise _unusable(error.filename or self.path, error) from error

    def read(self, masks: Container[str]) -> dict[str, Entry]:
        """The latest line about each of these masks, whichever share's file it is in.

        This share's own file is written anew where most of its lines no longer count.

        Raises:
            LesionctlError: A file cannot be read, or this one not be written.
        """
        entries: dict[str, Entry] = {}
        for path in manifests_in(self._out):
            try:
                known, count = self._read_one(path, masks, entries)
                if path == self.path and count > _REPETITIVE * len(known):
                    self._compact()
            except OSError as error:
                raise _unusable(path, error) from error
        return entries

    def append(
        self,
        mask: str,
        recipe: str,
        picture: Signature,
        digest: str,
        prediction: Prediction,
        earlier: Entry | None = None,
    ) -> None:
        """Write a line, at once; several threads may do so.

        Args:
            mask: Its path from the folder for the masks.
            recipe: See `Entry`, as the next two.
            picture: See there.
            digest: See there.
            prediction: What was found.
            earlier: The line that counted until now.

        Raises:
            OSError: The disk is full, or the folder has become unreachable.
        """
        line = {
            "format": _FORMAT,
            # The clocks of two machines may differ: the new line is the later one all the same.
            "time": max(time.time_ns(), earlier.time + 1 if earlier else 0),
            "mask": mask,
            "recipe": recipe,
            "picture": picture,
            "digest": digest,
            "row": prediction.to_dict(),
        }
        with self._writing:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()

    def close(self) -> None:
        """Give the file back."""
        with suppress(OSError):  # what could not be written until now is about masks that were not written then
            self._file.close()
        unlock_file(self._share)

    def _open(self) -> BinaryIO:
        file = self.path.open("ab")
        if file.tell() and not _ends_with_a_line(self.path):
            file.write(b"\n")  # what a killed process left half written stays a line of its own
        return file

    def _read_one(self, path: Path, masks: Container[str], entries: dict[str, Entry]) -> tuple[set[str], int]:
        """Keep what a file has to say; returns all masks that it is about, and how many lines it has."""
        known, count = set(), 0
        with path.open("rb") as file:
            for count, line in enumerate(file, start=1):
                found = _parse(line)
                if found is None:
                    continue
                mask, form, when = found["mask"], found["format"], found["time"]
                # A line of another version of this program is not understood, and never lost.
                known.add(mask if form == _FORMAT else f"{count}")
                if form != _FORMAT or mask not in masks:
                    continue
                if (entry := _entry(line, found)) and (mask not in entries or when >= entries[mask].time):
                    entries[mask] = entry
        return known, count

    def _compact(self) -> None:
        """Write the file anew with the latest line of each mask; a kill leaves the old one or the new one."""
        latest: dict[str, tuple[int, int]] = {}
        with self.path.open("rb") as file:
            for number, line in enumerate(file):
                found = _parse(line)
                if found is None:
                    continue
                if found["format"] != _FORMAT:
                    latest[f"{number}"] = (0, number)
                elif entry := _entry(line, found):
                    latest[found["mask"]] = max(latest.get(found["mask"], (0, 0)), (entry.time, number))
        kept = {number for _, number in latest.values()}
        anew = self.path.with_name(f".{self.path.name}.kept")
        with self.path.open("rb") as file, anew.open("wb") as new:
            new.writelines(line for number, line in enumerate(file) if number in kept)
            new.flush()
            os.fsync(new.fileno())
        self._file.close()
        os.replace(anew, self.path)  # noqa: PTH105 - in the words of atomic.py
        self._file = self._open()


def _parse(line: bytes) -> dict[str, Any] | None:
    """A line with a mask, a format and a time; None for what was cut off by a kill, or is something else."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or "format" not in found:
        return None
    return found if isinstance(found.get("mask"), str) and isinstance(found.get("time"), int | float) else None


def _entry(line: bytes, found: dict[str, Any]) -> Entry | None:
    """What a line of this format says; None where it misses something."""
    try:
        size, modified, touched, inode, content = found["picture"]
        picture = Signature(int(size), int(modified), int(touched), int(inode), str(content))
        row = line[line.index(_ROW) + len(_ROW) : line.rindex(b"}")]
        Prediction.from_dict(found["row"])
        return Entry(str(found["recipe"]), picture, str(found["digest"]), int(found["time"]), row)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _unusable(path: Path | str, error: OSError) -> LesionctlError:
    return LesionctlError(f"{path} cannot be used ({error.strerror or error})")


def _ends_with_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
