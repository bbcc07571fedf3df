"""What a speed is worth: how well a model, as it runs here, finds the lesions of a prepared set."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import SomeInputsFailed
from lesionctl.evaluate.cases import cases_of_store
from lesionctl.evaluate.scoring import score
from lesionctl.evaluate.sides import ModelSide
from lesionctl.evaluate.when_seen import WhenSeen
from lesionctl.progress import Progress, Silent
from lesionctl.scoring.bootstrap import GroupBootstrap, estimate_means

if TYPE_CHECKING:
    from pathlib import Path

    from lesionctl.evaluate.cases import Cases
    from lesionctl.evaluate.evaluation import Evaluation
    from lesionctl.runtime.segmenter import Segmenter


@dataclass(frozen=True)
class Quality:
    """How well a model did, at the size of each true mask, as `eval --seen skip` would find it.

    Attributes:
        dice: Mean over the pictures of each picture's Dice, in [0, 1].
        low: Lower end of its 95 % interval, of the bootstrap over groups; None with too few groups.
        high: Upper end; None likewise.
        jaccard: Mean over the pictures of each picture's Jaccard index.
        pictures: How many were scored.
        of: How many the split has.
        groups: In how many groups they are: pictures of one lesion or patient.
        failed: How many of them could not be read: they count as pictures in which nothing was found.
        seen: How many were left out because the model has seen them in training; None where it does not say.
        data: Name of the prepared set.
        split: Which of its splits.
        digest: SHA-256 over the pictures that were scored: Dice on other pictures is not to be compared with this.
        remarks: What a person should know of it, such as that the model does not say what it has seen.
    """

    dice: float
    low: float | None
    high: float | None
    jaccard: float
    pictures: int
    of: int
    groups: int
    failed: int
    seen: int | None
    data: str
    split: str
    digest: str
    remarks: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What the figure is: aggregation, data, split and resolution."""
        return self.label_of(f"{self.pictures:,}")

    def label_of(self, pictures: str) -> str:
        """The same with other words for how many pictures."""
        some = pictures if pictures == f"{self.of:,}" else f"{pictures} of {self.of:,}"
        return f"mean per image, {self.data}, {some} pictures of the {self.split} split, at the masks' own size"

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms."""
        return {**asdict(self), "remarks": list(self.remarks)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Quality:
        """From what `to_dict` gave."""
        return cls(**{**values, "remarks": tuple(values["remarks"])})


def dice_of(
    segmenter: Segmenter,
    path: Path,
    split: Split = Split.TEST,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Quality:
    """Score a model as it runs here on a split of a prepared set, with the scoring of `eval`.

    Pictures that the model has seen in training are left out.

    Args:
        segmenter: The model, in the backend and precision whose speed was measured.
        path: The prepared set.
        split: Which of its splits.
        limit: Score so many pictures, spread evenly over the split; None: all.
        progress: Who listens; what it would be warned of is among the remarks.

    Raises:
        BadFile: There is no prepared set, or it is damaged.
        UsageError: It has no such split.
        GateError: The model has seen all of the pictures.
        SomeInputsFailed: No picture, or no true mask, could be used.
    """
    cases = cases_of_store(open_store(path), split)
    whole = len(cases.items)
    listener = _Remarks(progress or Silent())
    side = ModelSide(segmenter.spec.name, segmenter, ())
    (found,), _ = score([side], _some(cases, limit), tolerances=(), when_seen=WhenSeen.SKIP, progress=listener)
    if found.failures:
        if len(found.failures) >= len(found.images):
            raise SomeInputsFailed(found.failures, len(found.images))
        listener.warn(
            f"{len(found.failures)} of {len(found.images)} pictures of {path} could not be used, and count as ones in "
            f"which nothing was found; the first: {found.failures[0].path}: {found.failures[0].reason}"
        )
    figures = {name: [image.figures()[name] for image in found.images] for name in ("dice", "jaccard")}
    means = estimate_means(figures, GroupBootstrap([image.group for image in found.images]))
    return Quality(
        dice=means["dice"].value,
        low=means["dice"].low,
        high=means["dice"].high,
        jaccard=means["jaccard"].value,
        pictures=len(found.images),
        of=whole,
        groups=len({image.group for image in found.images}),
        failed=sum(image.failed for image in found.images),
        seen=found.origin.seen.pictures if found.origin and found.origin.seen else None,
        data=path.name,
        split=str(split),
        digest=_digest(found),
        remarks=tuple(listener.remarks),
    )


def _some(cases: Cases, limit: int | None) -> Cases:
    if limit is None or limit >= len(cases.items):
        return cases
    chosen = np.linspace(0, len(cases.items) - 1, limit).round().astype(int)
    return replace(cases, items=[cases.items[index] for index in chosen])


def _digest(found: Evaluation) -> str:
    names = sorted(f"{image.source}\t{image.id}\n" for image in found.images)
    return hashlib.sha256("".join(names).encode()).hexdigest()


class _Remarks:
    """Passes on how far the work is, and keeps the warnings."""

    def __init__(self, progress: Progress) -> None:
        self.remarks: list[str] = []
        self.task, self.row, self.say, self.detail = progress.task, progress.row, progress.say, progress.detail

    def warn(self, message: str) -> None:
        self.remarks.append(message)
