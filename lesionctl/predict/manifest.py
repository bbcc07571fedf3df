"""Which masks in a folder this program has made, of which pictures and with which model.

It is what lets an interrupted run go on, and what keeps one model's masks from being taken for another's. A mask that
is replaced goes first, then comes the line of the new one with a digest of its bytes, then that mask: a mask whose
latest line says something else of it is somebody else's, a line without a mask is work not done.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Self

from lesionctl.atomic import lock_file, unlock_file
from lesionctl.errors import Failure, LesionctlError, UsageError
from lesionctl.predict.records import Prediction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from lesionctl.predict.jobs import Job
    from lesionctl.predict.shard import Shard

FOLDER = ".lesionctl"
"""Where the manifests lie in a folder of masks: one for each share, so that no two processes write to one file."""

_FORMAT = 1
_ROW = b', "row": '  # no name within a line can look like it, for its quotation marks are escaped


class Existing(StrEnum):
    """What to do with masks that exist already and are not those that would be made."""

    REFUSE = "refuse"
    OVERWRITE = "overwrite"
    """Make all anew."""
    REPLACE = "replace"
    """Make those anew that another model or other settings gave."""


class Entry(NamedTuple):
    """What a line says of a mask.

    Attributes:
        recipe: See `recipe_of`.
        picture: See `signature_of`.
        digest: See `digest_of`.
        time: Of the line, in nanoseconds.
        row: What was found in the picture, as JSON.
    """

    recipe: str
    picture: tuple[int, int]
    digest: str
    time: int
    row: bytes

    @property
    def prediction(self) -> Prediction:
        """What was found in the picture."""
        return Prediction.from_dict(json.loads(self.row))


@dataclass
class Standing:
    """How far earlier runs came.

    Attributes:
        done: By mask file: masks that are there as this run would make them, or why one cannot even be looked at.
        changed: How many pictures are others than those that their masks were made of.
    """

    done: dict[Path, Entry | Failure] = field(default_factory=dict)
    changed: int = 0


class Manifest:
    """The masks of a folder, and where they come from.

    Args:
        out: The folder for the masks.
        recipe: What the masks depend on beside the picture; see `recipe_of`.
        shard: The share of the pictures that is worked on.

    Raises:
        LesionctlError: The manifest cannot be written, or another process is working on the same share.
    """

    def __init__(self, out: Path, recipe: str, shard: Shard) -> None:
        self._out = out
        self._recipe = recipe
        self._entries: dict[str, Entry] = {}
        self._replaceable: set[Path] = set()
        self._outdated: set[Path] = set()
        self._lock = Lock()
        self.path = out / FOLDER / f"masks.{shard.number}-of-{shard.of}.jsonl"

    def __enter__(self) -> Self:
        """Take the manifest for this process alone, and go on writing it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file_lock = lock_file(self.path)
            self._file = self.path.open("ab")
            if self._file.tell() and not _ends_with_a_line(self.path):
                self._file.write(b"\n")  # what a killed process left half written stays a line of its own
        except OSError as error:
            raise _unusable(error.filename or self.path, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()
        unlock_file(self._file_lock)

    def survey(self, jobs: Sequence[Job], existing: Existing, stop: Callable[[], bool] = bool) -> Standing:
        """Find which masks are there already, as this run would make them.

        Args:
            jobs: All that is to be done.
            existing: What to do with others.
            stop: Once it says so, the rest is not looked at.

        Raises:
            UsageError: There are others, and they are not to be made anew.
            LesionctlError: A manifest cannot be read.
        """
        self._read({self._key(job.mask) for job in jobs})
        standing = Standing()
        strangers, others = [], []
        for job in jobs:
            if stop():
                break
            entry = self._entries.get(self._key(job.mask))
            try:
                digest = digest_of(job.mask.read_bytes())
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                reason = f"its mask {job.mask} cannot be looked at ({error.strerror or error})"
                standing.done[job.mask] = Failure(job.image, reason)
                continue
            if existing is Existing.OVERWRITE:
                self._replaceable.add(job.mask)
                if entry is not None and entry.digest == digest:
                    self._outdated.add(job.mask)
            elif entry is None or entry.digest != digest:
                strangers.append(job.mask)
            elif entry.recipe != self._recipe:
                others.append(job.mask)
                self._replaceable.add(job.mask)
                self._outdated.add(job.mask)
            else:
                self._replaceable.add(job.mask)
                self._compare(job, entry, standing)
        if strangers:
            raise UsageError(
                f"{_first_of(strangers)}, and nothing says that this program made it as it is",
                hint="--overwrite replaces such masks; or choose another --out",
            )
        if others and existing is Existing.REFUSE:
            raise UsageError(
                f"{_first_of(others)}, of another model or other settings",
                hint="--skip-existing replaces those alone, --overwrite all; or choose another --out",
            )
        return standing

    def make_way(self, job: Job) -> None:
        """Remove what earlier runs left in the place of a mask that is about to be written; several threads may do so.

        Raises:
            OSError: The folder may not be written to.
        """
        if job.mask in self._replaceable:
            job.mask.unlink(missing_ok=True)
        entry = self._entries.get(self._key(job.mask))
        if entry is not None:
            earlier = entry.prediction
            if earlier.overlay:
                job.overlay_place.unlink(missing_ok=True)
            if earlier.probabilities:
                job.probabilities_place.unlink(missing_ok=True)

    def give_up(self, job: Job) -> None:
        """Remove the mask of a picture that failed, where it is another model's or another picture's.

        Raises:
            OSError: The folder may not be written to.
        """
        if job.mask in self._outdated:
            self.make_way(job)

    def record(self, job: Job, prediction: Prediction, picture: tuple[int, int], digest: str) -> None:
        """Write down a mask that is about to get its name; several threads may do so.

        Args:
            job: The picture and its files.
            prediction: What was found.
            picture: Its `signature_of`, from before it was read.
            digest: The `digest_of` the mask's file.

        Raises:
            OSError: The disk is full, or the folder has become unreachable.
        """
        key = self._key(job.mask)
        with self._lock:
            earlier = self._entries.get(key)
            line = {
                "format": _FORMAT,
                # The clocks of two machines may differ: the new line is the later one all the same.
                "time": max(time.time_ns(), earlier.time + 1 if earlier else 0),
                "mask": key,
                "recipe": self._recipe,
                "picture": picture,
                "digest": digest,
                "row": prediction.to_dict(),
            }
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()

    def _compare(self, job: Job, entry: Entry, standing: Standing) -> None:
        """Whether a mask of ours, made in the same way, is of the same picture and has all that is wanted beside it."""
        picture = signature_of(job.image)
        if picture is None:  # the mask stays what it was: that picture fails when it is read
            return
        if picture != entry.picture:
            standing.changed += 1
            self._outdated.add(job.mask)
            return
        earlier = entry.prediction
        wanted = ((job.overlay, earlier.overlay), (job.probabilities, earlier.probabilities))
        if all(file is None or (was_made and _exists(file)) for file, was_made in wanted):
            standing.done[job.mask] = entry

    def _read(self, keys: set[str]) -> None:
        """Keep the latest line of each of these masks."""
        for path in sorted(self.path.parent.glob("masks.*.jsonl")):
            try:
                with path.open("rb") as file:
                    for line in file:
                        self._keep(line, keys)
            except OSError as error:
                raise _unusable(path, error) from error

    def _keep(self, line: bytes, keys: set[str]) -> None:
        try:
            found = json.loads(line)
            key, when = found["mask"], found["time"]
            if found["format"] != _FORMAT or key not in keys:
                return
            if key in self._entries and when < self._entries[key].time:
                return
            width, changed = found["picture"]
            row = line[line.index(_ROW) + len(_ROW) : line.rindex(b"}")]
            entry = Entry(str(found["recipe"]), (int(width), int(changed)), str(found["digest"]), int(when), row)
            Prediction.from_dict(json.loads(row))
            self._entries[key] = entry
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):  # cut off by a kill
            return

    def _key(self, mask: Path) -> str:
        return mask.relative_to(self._out).as_posix()


def recipe_of(*parts: object) -> str:
    """A digest of what masks depend on beside the picture: the model's digest, and the options that change a mask."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def signature_of(image: Path) -> tuple[int, int] | None:
    """Size in bytes and time of the last change in nanoseconds: what tells that a picture is still the same.

    Returns:
        None where there is no such file, or nothing can be told of it.
    """
    try:
        status = image.stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns)


def digest_of(content: bytes) -> str:
    """Of a mask file: its size in bytes and the BLAKE2b of them, in hex."""
    return f"{len(content)}-{hashlib.blake2b(content, digest_size=16).hexdigest()}"


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:
        return False


def _first_of(masks: Iterable[Path]) -> str:
    first, *more = masks
    return f"{first} exists already" + (f", and {len(more):,} more" if more else "")


def _unusable(path: Path | str, error: OSError) -> LesionctlError:
    return LesionctlError(f"{path} cannot be used ({error.strerror or error})")


def _ends_with_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
