"""Where each mask goes, known and checked before any work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl.dataset.marks import Made
from lesionctl.dataset.own_files import ENDINGS, OwnFiles
from lesionctl.errors import UsageError
from lesionctl.imaging.masks import MASK_SUFFIX, PROBABILITIES_SUFFIX
from lesionctl.imaging.overlay import OVERLAY_SUFFIX
from lesionctl.predict.rows import in_a_cell

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lesionctl.dataset.inputs import Input


@dataclass(frozen=True)
class Outputs:
    """The files that are made of each picture beside its mask.

    Attributes:
        overlay: The picture with the outline drawn on it.
        probabilities: A 16-bit PNG of the probabilities.
    """

    overlay: bool = False
    probabilities: bool = False


@dataclass(frozen=True)
class Job:
    """A picture and the files that come of it.

    Attributes:
        image: The picture file.
        place: Its place in the output folder: a bare name, or a path with subfolders.
        mask: Where its mask goes.
        overlay: Where the picture with the outline goes; None where it is not wanted.
        probabilities: Where the probabilities go; None likewise.
    """

    image: Path
    place: Path
    mask: Path
    overlay: Path | None = None
    probabilities: Path | None = None

    @property
    def files(self) -> list[Path]:
        """All files that come of it."""
        return [file for file in (self.mask, self.overlay, self.probabilities) if file is not None]

    @property
    def sides(self) -> list[tuple[Path, Made]]:
        """The files beside the mask, and what each is."""
        wanted = ((self.overlay, Made.OVERLAY), (self.probabilities, Made.PROBABILITIES))
        return [(file, made) for file, made in wanted if file is not None]

    @property
    def overlay_place(self) -> Path:
        """Where an overlay lies that an earlier run made, whether or not this one is asked for it."""
        return self.mask.with_name(f"{self.place.stem}{OVERLAY_SUFFIX}")

    @property
    def probabilities_place(self) -> Path:
        """The same of the probabilities."""
        return self.mask.with_name(f"{self.place.stem}{PROBABILITIES_SUFFIX}")


def plan_jobs(
    inputs: Iterable[Input], out: Path, outputs: Outputs = Outputs(), own: OwnFiles | None = None
) -> list[Job]:
    """Name the mask of each picture: `<stem>_segmentation.png` under `out`, in subfolders as in the input.

    What an earlier run made of one of the pictures, in the very place where this one would, is no picture, even where
    it was named: a shell that expands `scans/*.png` does not know it from one.

    Args:
        inputs: The pictures.
        out: The folder for the masks.
        outputs: What else is wanted.
        own: What tells the program's own files; afterwards it knows which were left out.

    Raises:
        UsageError: Two pictures would have the same mask, or one would be written over.
    """
    own = own or OwnFiles()
    jobs = []
    owners: dict[str, Path] = {}
    for image, place in inputs:
        if own.is_about_all(image):
            own.remember(image)
            continue
        folder, stem = out / place.parent, place.stem
        mask = folder / f"{stem}{MASK_SUFFIX}"
        # Where file names are the same whatever their case, two such masks would be one file; in a table, two of which
        # one has an end of a line in its name and the other a backslash and an n would be one row.
        key = in_a_cell(str(mask)).casefold()
        if key in owners:
            raise UsageError(
                f"{owners[key]} and {image} would both be written to {mask}",
                hint="rename one of them, or predict them into different folders",
            )
        owners[key] = image
        overlay = folder / f"{stem}{OVERLAY_SUFFIX}" if outputs.overlay else None
        probabilities = folder / f"{stem}{PROBABILITIES_SUFFIX}" if outputs.probabilities else None
        job = Job(image, place, mask, overlay, probabilities)
        for file in filter(own.is_about_all, job.files):
            raise UsageError(f"{file} would be written twice: of {image}, and about all pictures")
        jobs.append(job)
    return _without_outputs(jobs, own)


def _without_outputs(jobs: list[Job], own: OwnFiles) -> list[Job]:
    """The jobs but those whose pictures were made of the others'."""
    if not any(job.image.name.endswith(ENDINGS) for job in jobs):
        return jobs
    makers = {
        own.real_path(file): (job, file in job.files)
        for job in jobs
        for file in (job.mask, job.overlay_place, job.probabilities_place)
    }
    kept = []
    for job in jobs:
        maker, is_written = makers.get(own.real_path(job.image), (None, False))
        if maker is not None and own.is_in_a_manifest(job.image):
            own.remember(job.image)
        elif maker is not None and is_written:
            raise UsageError(
                f"{job.image} is one of the pictures, and what is made of {maker.image} would be written over it",
                hint="choose another --out",
            )
        else:
            kept.append(job)
    return kept
