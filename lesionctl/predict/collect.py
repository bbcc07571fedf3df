"""What is written about all pictures together: tables, polygons, a contact sheet."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from lesionctl.predict.coco import CocoFile
from lesionctl.predict.contact_sheet import ContactSheet
from lesionctl.predict.predict import Wishes
from lesionctl.predict.rows import CsvRows, JsonLines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from lesionctl.imaging.masks import MaskForm
    from lesionctl.predict.jobs import Job
    from lesionctl.predict.predict import Outcome


class Collection:
    """The files about all pictures; what an interrupted run put into them is gone on with.

    Args:
        csv: A table with a row for each picture.
        jsonl: The same as lines of JSON.
        polygons: A COCO file of outlines.
        contact_sheet: A PNG of small pictures.

    Attributes:
        flags: How many pictures have each flag.
        flagged: How many have one.

    Raises:
        UsageError: There is something else at one of the paths.
        LesionctlError: One cannot be written.
    """

    def __init__(
        self,
        csv: Path | None = None,
        jsonl: Path | None = None,
        polygons: Path | None = None,
        contact_sheet: Path | None = None,
    ) -> None:
        self.flags: Counter[str] = Counter()
        self.flagged = 0
        self._rows = [*([CsvRows(csv)] if csv else []), *([JsonLines(jsonl)] if jsonl else [])]
        self._polygons = CocoFile(polygons) if polygons else None
        self._sheet = ContactSheet(contact_sheet) if contact_sheet else None

    def wishes(self, form: MaskForm, *, measures: bool) -> Wishes:
        """What they need of each picture; `measures`: somebody else needs those."""
        return Wishes(
            form,
            measures=measures or bool(self._rows),
            polygons=self._polygons is not None,
            thumbnail=self._sheet is not None,
        )

    def forget(self, jobs: Sequence[Job]) -> None:
        """Drop what is in the files about pictures that are predicted anew."""
        for rows in self._rows:
            rows.forget([job.image for job in jobs])
        if self._polygons is not None:
            self._polygons.forget([str(job.image) for job in jobs])

    def add(self, outcome: Outcome) -> None:
        """Add a picture; each file has it once, however often it is added."""
        found = outcome.prediction
        self.flags.update(map(str, found.flags))
        self.flagged += bool(found.flags)
        for rows in self._rows:
            rows.add(found)
        if self._polygons is not None:
            self._polygons.add(str(found.image), found.width, found.height, outcome.polygons)
        if self._sheet is not None and outcome.thumbnail is not None:
            self._sheet.add(outcome.thumbnail, found.image.name, found.flags, found.confidence)

    def __enter__(self) -> Self:
        """Nothing: the files are open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the files, also those of a run that was interrupted."""
        with ExitStack() as closing:
            for rows in self._rows:
                closing.callback(rows.close)
            if self._polygons is not None:
                closing.callback(self._polygons.write)
            if self._sheet is not None:
                closing.callback(self._sheet.write)
