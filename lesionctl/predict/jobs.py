"""Where each mask goes, known and checked before any work."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lesionctl.dataset.inputs import Input
from lesionctl.errors import UsageError
from lesionctl.imaging.masks import MASK_SUFFIX
from lesionctl.imaging.overlay import OVERLAY_SUFFIX


class Existing(StrEnum):
    """What to do where a mask exists already."""

    REFUSE = "refuse"
    OVERWRITE = "overwrite"
    SKIP = "skip"


@dataclass(frozen=True)
class Job:
    """A picture and the files that come of it."""

    image: Path
    mask: Path
    overlay: Path


def plan_jobs(inputs: list[Input], out: Path, existing: Existing = Existing.REFUSE) -> list[Job]:
    """Name the mask of each picture: `<stem>_segmentation.png` under `out`, in subfolders as in the input.

    Args:
        inputs: The pictures.
        out: The folder for the masks.
        existing: What to do where a mask exists already.

    Raises:
        UsageError: Two pictures would have the same mask, or a mask exists already and `existing` is REFUSE.
    """
    jobs = []
    owners: dict[Path, Path] = {}
    for image, place in inputs:
        mask = out / place.parent / f"{place.stem}{MASK_SUFFIX}"
        if mask in owners:
            raise UsageError(
                f"{owners[mask]} and {image} would both be written to {mask}",
                hint="rename one of them, or predict them into different folders",
            )
        owners[mask] = image
        jobs.append(Job(image, mask, mask.with_name(f"{place.stem}{OVERLAY_SUFFIX}")))
    if existing is Existing.OVERWRITE:
        return jobs
    done = [job for job in jobs if job.mask.exists()]
    if done and existing is Existing.REFUSE:
        more = f", and {len(done) - 1} more" if len(done) > 1 else ""
        raise UsageError(
            f"{done[0].mask} exists already{more}",
            hint="pass --overwrite or --skip-existing, or choose another --out",
        )
    return [job for job in jobs if not job.mask.exists()]
