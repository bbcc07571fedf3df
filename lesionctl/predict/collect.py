"""What is written about all pictures together: tables, polygons, a contact sheet."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from lesionctl.errors import Failure
from lesionctl.predict.coco import CocoFile
from lesionctl.predict.contact_sheet import ContactSheet
from lesionctl.predict.predict import Wishes
from lesionctl.predict.rows import CsvRows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from lesionctl.imaging.mask_form import MaskForm
    from lesionctl.predict.jobs import Job
    from lesionctl.predict.manifest_file import Entry
    from lesionctl.predict.predict import Outcome


class Collection:
    """The files about all pictures; what an interrupted run put into them is gone on with.

    Args:
        out: The folder of the masks.
        csv: A table with a row for each picture.
        polygons: A COCO file of outlines.
        contact_sheet: A PNG of small pictures.

    Attributes:
        flags: How many pictures have each flag.
        flagged: How many have one.

    Raises:
        UsageError: There is something else at one of the paths.
        LesionctlError: One cannot be written, or another process is writing it.
    """

    def __init__(
        self,
        out: Path,
        csv: Path | None = None,
        polygons: Path | None = None,
        contact_sheet: Path | None = None,
    ) -> None:
        self.flags: Counter[str] = Counter()
        self.flagged = 0
        with ExitStack() as opened:  # where one is refused, those before it are given back
            self._sheet = ContactSheet(contact_sheet) if contact_sheet else None
            if self._sheet is not None:
                opened.callback(self._sheet.write)
            self._rows = CsvRows(csv, out) if csv else None
            if self._rows is not None:
                opened.callback(self._rows.close)
            self._polygons = CocoFile(polygons, out) if polygons else None
            if self._polygons is not None:
                opened.callback(self._polygons.write)
            self._opened = opened.pop_all()

    def wishes(
        self, form: MaskForm, jobs: Sequence[Job], done: Mapping[Path, Entry | Failure], *, measures: bool
    ) -> Wishes:
        """What they need of each picture.

        Args:
            form: How many bits a pixel of a mask has.
            jobs: The pictures.
            done: By mask file, what is known of them before.
            measures: Somebody else needs those.
        """
        return Wishes(
            form,
            measures=measures or self._rows is not None,
            polygons=self._polygons is not None,
            traced=frozenset(job.mask for job in jobs if self._has_traced(job, done.get(job.mask))),
            thumbnail=self._sheet is not None,
        )

    def forget(self, jobs: Sequence[Job]) -> None:
        """Drop what is in the files about pictures that are predicted anew."""
        masks = [job.mask for job in jobs]
        if self._rows is not None:
            self._rows.forget(masks)
        if self._polygons is not None:
            self._polygons.forget(masks)

    def add(self, outcome: Outcome) -> None:
        """Add a picture; each file has it once, however often it is added."""
        found = outcome.prediction
        self.flags.update(map(str, found.flags))
        self.flagged += bool(found.flags)
        if self._rows is not None:
            self._rows.add(found)
        if self._polygons is not None:
            about = (found.image, found.mask, outcome.digest, found.width, found.height)
            self._polygons.add(*about, outcome.polygons)
        if self._sheet is not None and outcome.thumbnail is not None:
            self._sheet.add(outcome.thumbnail, found.image.name, found.flags, found.confidence)

    def __enter__(self) -> Self:
        """Nothing: the files are open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the files, also those of a run that was interrupted."""
        self._opened.close()

    def _has_traced(self, job: Job, entry: Entry | Failure | None) -> bool:
        if self._polygons is None or entry is None or isinstance(entry, Failure):
            return False
        found = entry.prediction
        return self._polygons.holds(job.image, job.mask, entry.digest, found.width, found.height)
