"""What a fetch brought, and what it did not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl.errors import BadFile, Failure, LesionctlError, SomeInputsFailed
from lesionctl.fetch.catalog import FetchSet

if TYPE_CHECKING:
    from lesionctl.fetch.encoder import FetchedEncoder


@dataclass(frozen=True)
class FetchedSet:
    """A set on disk.

    Attributes:
        entry: The set.
        directory: Where it lies.
        images: How many pictures lie there.
        masks: How many masks.
        files: The names of the files that were unpacked there, now or before.
    """

    entry: FetchSet
    directory: Path
    images: int
    masks: int
    files: tuple[str, ...] = ()


@dataclass
class Haul:
    """What a fetch brought.

    Attributes:
        sets: What lies on disk, whole or in part.
        encoders: Weights in the cache.
        errors: What failed, by the name of the file or encoder.
        total: How many files and encoders were wanted.
    """

    sets: list[FetchedSet] = field(default_factory=list)
    encoders: list[FetchedEncoder] = field(default_factory=list)
    errors: dict[str, LesionctlError] = field(default_factory=dict)
    total: int = 0

    def raise_errors(self) -> None:
        """Name what failed.

        Raises:
            SomeInputsFailed: Something failed, the rest is done.
            LesionctlError: Nothing is done.
        """
        if self.total == 1 and self.errors:
            raise next(iter(self.errors.values()))
        failures = [
            Failure(error.path, error.reason) if isinstance(error, BadFile) else Failure(Path(name), error.what)
            for name, error in self.errors.items()
        ]
        if failures and len(failures) == self.total:
            lines = "\n".join(f"  {failure.path}: {failure.reason}" for failure in failures)
            hints = {error.hint for error in self.errors.values()}
            raise LesionctlError(f"nothing could be fetched:\n{lines}", hint=hints.pop() if len(hints) == 1 else None)
        if failures:
            raise SomeInputsFailed(failures, self.total)
