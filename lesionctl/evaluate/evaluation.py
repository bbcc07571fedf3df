"""What an evaluation found: scores of the same pictures, for each side, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from lesionctl.scoring.overlap import FIGURES
from lesionctl.scoring.scoreboard import Scoreboard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lesionctl.dataset.exposure import SeenCount
    from lesionctl.dataset.samples import Split
    from lesionctl.errors import Failure
    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.scoring.counts import Counts
    from lesionctl.scoring.group_histograms import GroupHistograms


@dataclass(frozen=True)
class ImageScore:
    """One picture, as one side found it.

    Attributes:
        id: Its id.
        source: The set that it came from.
        group: What it belongs to: pictures of a group (a lesion, a patient) are not independent.
        counts: Its pixels by truth and prediction, at the truth's own size.
        boundary: Its boundary figures, see `scoring.boundary`.
        seen: Whether the model has seen it in training; None where that cannot be known.
        failed: Whether there was no prediction that could be used: it counts as one in which nothing was found.
    """

    id: str
    source: str
    group: str
    counts: Counts
    boundary: Mapping[str, float]
    seen: bool | None = None
    failed: bool = False

    def figures(self) -> dict[str, float]:
        """Every figure of this picture: overlap, then boundary."""
        return {name: figure(self.counts) for name, figure in FIGURES.items()} | dict(self.boundary)


@dataclass(frozen=True)
class Origin:
    """What a model was scored on, and what it knew of that before.

    Attributes:
        store_digest: Digest of the prepared set.
        split: Which of its splits.
        fold: Of which fold; None where the splits were taken as they stand.
        training_digest: The model's own word on what it was trained and tuned on; empty where it has none.
        seen: How many pictures of the split it has seen; None where it does not say.
        compared: By which of `KINDS` pictures of the split could be known again.
        complete: Whether it says all that it has seen.
        left_out: Whether those that any of the models has seen were not scored.
    """

    store_digest: str
    split: Split
    fold: int | None
    training_digest: str
    seen: SeenCount | None
    compared: tuple[str, ...]
    complete: bool
    left_out: bool

    def remark(self) -> str:
        """What a title must say of pictures that were seen: nothing where there are none."""
        if self.seen is None or not self.seen.pictures:
            return ""
        return f"{self.seen.pictures} of {self.seen.of} seen in training{' and left out' if self.left_out else ''}"

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms."""
        seen = None if self.seen is None else asdict(self.seen)
        return {
            "store_digest": self.store_digest,
            "split": str(self.split),
            "fold": self.fold,
            "training_digest": self.training_digest,
            "seen_in_training": seen
            and {
                **seen,
                "compared_by": list(self.compared),
                "left_out": self.left_out,
                "complete": self.complete,
            },
        }


@dataclass(frozen=True)
class ModelFacts:
    """A model that was scored.

    Attributes:
        spec: How it is used; of several models that answer together, what they have in common.
        parameters: Numbers in its weights, of all members together.
        backend: What ran it, in which number format, on which device.
        files: Its files; their sizes are the model's size.
    """

    spec: ModelSpec
    parameters: int
    backend: str
    files: tuple[Path, ...]

    @property
    def bytes(self) -> int:
        """Size of its files together."""
        return sum(file.stat().st_size for file in self.files)

    @property
    def run(self) -> Path | None:
        """The directory of the run that made it, where it is still in there; of several models, None."""
        if len(self.files) == 1 and (self.files[0].parent / "metrics.csv").is_file():
            return self.files[0].parent
        return None


@dataclass
class Evaluation:
    """Scores of one side on a set of pictures, at the size of each true mask.

    Attributes:
        prediction: The side's name: a model or a folder of masks.
        model: The model; None for masks that are made already.
        origin: What a model was scored on, where that is a prepared set; None for masks that are made already.
        images: A score for each picture.
        failures: Its files that could not be used, each with the reason.
        remarks: Its files that were used and about which a person should know something.
        board: The counts and the histogram of probabilities of all pictures.
        by_group: The probabilities of each group of pictures, for intervals; None where there are too many to keep.
        best_threshold: The threshold with the highest mean Jaccard on these pictures; None where they are no
            validation split.
    """

    prediction: str
    model: ModelFacts | None = None
    origin: Origin | None = None
    images: list[ImageScore] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    remarks: list[Failure] = field(default_factory=list)
    board: Scoreboard = field(default_factory=Scoreboard)
    by_group: GroupHistograms | None = None
    best_threshold: float | None = None

    def values(self) -> dict[str, list[float]]:
        """Every figure of every picture: by figure, in the order of the pictures."""
        rows = [image.figures() for image in self.images]
        return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
