"""Which masks in a folder this program has made, of which pictures and with which model.

It is what lets an interrupted run go on, and what keeps one model's masks from being taken for another's. A mask that
is replaced goes first, then comes the line of the new one with a digest of its bytes, then that mask: a mask whose
latest line says something else of it is somebody else's, a line without a mask is work not done.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from lesionctl.dataset.marks import Made, mark_of
from lesionctl.errors import Failure, UsageError
from lesionctl.predict.manifest_file import ManifestFile
from lesionctl.runtime.threads import parallel_map

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType

    from lesionctl.predict.jobs import Job
    from lesionctl.predict.manifest_file import Entry
    from lesionctl.predict.records import Prediction
    from lesionctl.predict.same_picture import Signature
    from lesionctl.predict.shard import Shard

_LOOKING = 16  # threads: on the file systems of clusters each look waits for an answer, and takes no processor
_CHUNK = 16  # jobs that a thread looks at before it hands them back


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


class _Found(NamedTuple):
    """What there is of a job's files.

    Attributes:
        digest: Of its mask, see `digest_of`; None where there is none.
        strangers: Files in the place of an overlay or of probabilities that this program did not make.
        is_same_picture: Whether a mask that this run would make is of the picture as it is now; None where it is gone.
        is_complete: Whether such a mask has beside it all that is wanted.
    """

    digest: str | None
    strangers: tuple[Path, ...]
    is_same_picture: bool | None = None
    is_complete: bool = False


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
        strangers: list[Path] = []
        others: list[Path] = []
        for job, found in zip(jobs, self._look_at_all(jobs, stop), strict=False):  # fewer where it stopped
            entry = self._entries.get(self._key(job.mask))
            if isinstance(found, Failure):
                standing.done[job.mask] = found
                continue
            if existing is Existing.OVERWRITE:
                if found.digest is not None:
                    self._replaceable.add(job.mask)
                if entry is not None and entry.digest == found.digest:
                    self._outdated.add(job.mask)
                continue
            strangers += found.strangers
            if found.digest is None:
                continue
            if entry is None or entry.digest != found.digest:
                strangers.append(job.mask)
                continue
            self._replaceable.add(job.mask)
            if entry.recipe != self._recipe:
                others.append(job.mask)
                self._outdated.add(job.mask)
            elif found.is_same_picture is False:
                standing.changed += 1
                self._outdated.add(job.mask)
            elif found.is_same_picture and found.is_complete:  # one that is gone fails when it is read
                standing.done[job.mask] = entry
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
            for was_made, place, made in (
                (earlier.overlay, job.overlay_place, Made.OVERLAY),
                (earlier.probabilities, job.probabilities_place, Made.PROBABILITIES),
            ):
                if was_made and mark_of(place) is made:
                    place.unlink()

    def give_up(self, job: Job) -> None:
        """Remove the mask of a picture that failed, where it is another model's or another picture's.

        Raises:
            OSError: The folder may not be written to.
        """
        if job.mask in self._outdated:
            self.make_way(job)

    def record(self, job: Job, prediction: Prediction, picture: Signature, digest: str) -> None:
        """Write down a mask that is about to get its name; several threads may do so.

        Args:
            job: The picture and its files.
            prediction: What was found.
            picture: What tells whether it is still the same.
            digest: The `digest_of` the mask's file.

        Raises:
            OSError: The disk is full, or the folder has become unreachable.
        """
        key = self._key(job.mask)
        self._file.append(key, self._recipe, picture, digest, prediction, self._entries.get(key))

    def _look_at_all(self, jobs: Sequence[Job], stop: Callable[[], bool]) -> Iterator[_Found | Failure]:
        """What `_look` says of each job, until it is to stop."""
        wanted = takewhile(lambda _: not stop(), jobs)
        for found in parallel_map(lambda some: list(map(self._look, some)), _chunks(wanted), _LOOKING):
            yield from found

    def _look(self, job: Job) -> _Found | Failure:
        """See what there is of a job; several threads may do so."""
        entry = self._entries.get(self._key(job.mask))
        sides = job.sides
        strangers = tuple(file for file, made in sides if _exists(file) and mark_of(file) is not made)
        try:
            digest = digest_of(job.mask.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return _Found(None, strangers)
        except OSError as error:
            return Failure(job.image, f"its mask {job.mask} cannot be looked at ({error.strerror or error})")
        if entry is None or (entry.recipe, entry.digest) != (self._recipe, digest):
            return _Found(digest, strangers)
        return _Found(digest, strangers, entry.picture.is_of(job.image), _is_complete(entry, sides))

    def _key(self, mask: Path) -> str:
        return mask.relative_to(self._out).as_posix()


def _is_complete(entry: Entry, sides: list[tuple[Path, Made]]) -> bool:
    """Whether the files beside a mask were made with it, and are there."""
    if not sides:
        return True
    earlier = entry.prediction
    was_made = {Made.OVERLAY: earlier.overlay, Made.PROBABILITIES: earlier.probabilities}
    return all(was_made[made] and _exists(file) for file, made in sides)


def recipe_of(*parts: object) -> str:
    """A digest of what masks depend on beside the picture: the model's digest, and the options that change a mask."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def digest_of(content: bytes) -> str:
    """Of a mask file: its size in bytes and the BLAKE2b of them, in hex."""
    return f"{len(content)}-{hashlib.blake2b(content, digest_size=16).hexdigest()}"


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:
        return False


def _chunks(jobs: Iterator[Job]) -> Iterator[list[Job]]:
    """Several at a time: handing over each to a thread would take longer than looking at it on a disk of one's own."""
    while some := list(islice(jobs, _CHUNK)):
        yield some


def _first_of(masks: Iterable[Path]) -> str:
    first, *more = masks
    return f"{first} exists already" + (f", and {len(more):,} more" if more else "")
