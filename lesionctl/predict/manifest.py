"""Which masks in a folder this program has made, of which pictures and with which model.

It is what lets an interrupted run go on, and what keeps one model's masks from being taken for another's. A mask that
is replaced goes first, then comes the line of the new one with a digest of its bytes, then that mask: a mask whose
latest line says something else of it is somebody else's, a line without a mask is work not done.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lesionctl.errors import Failure, UsageError
from lesionctl.predict.manifest_file import ManifestFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from lesionctl.predict.jobs import Job
    from lesionctl.predict.manifest_file import Entry
    from lesionctl.predict.records import Prediction
    from lesionctl.predict.shard import Shard


class Existing(StrEnum):
    """What to do with masks that exist already and are not those that would be made."""

    REFUSE = "refuse"
    OVERWRITE = "overwrite"
    """Make all anew."""
    REPLACE = "replace"
    """Make those anew that another model or other settings gave."""


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
        LesionctlError: It cannot be written, or another process is working on some of the same pictures.
    """

    def __init__(self, out: Path, recipe: str, shard: Shard) -> None:
        self._out = out
        self._recipe = recipe
        self._shard = shard
        self._entries: dict[str, Entry] = {}
        self._replaceable: set[Path] = set()
        self._outdated: set[Path] = set()

    def __enter__(self) -> Self:
        """Take the share for this process alone, and go on writing about it."""
        self._file = ManifestFile(self._out, self._shard)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()

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
        self._entries = self._file.read({self._key(job.mask) for job in jobs})
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
        self._file.append(key, self._recipe, picture, digest, prediction, self._entries.get(key))

    def _compare(self, job: Job, entry: Entry, standing: Standing) -> None:
        """Whether a mask of ours, made in the same way, is of the same picture and has all that is wanted beside it."""
        picture = signature_of(job.image)
        if picture is None:  # the mask stays what it was: that picture fails when it is read
            return
        if picture != entry.picture:
            standing.changed += 1
            self._outdated.add(job.mask)
            return
        if job.overlay is not None or job.probabilities is not None:
            earlier = entry.prediction
            wanted = ((job.overlay, earlier.overlay), (job.probabilities, earlier.probabilities))
            if not all(file is None or (was_made and _exists(file)) for file, was_made in wanted):
                return
        standing.done[job.mask] = entry

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
