"""What an evaluation found, as plain data."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lesionctl.scoring.overlap import FIGURES
from lesionctl.scoring.scoreboard import Scoreboard

if TYPE_CHECKING:
    from lesionctl.dataset.exposure import SeenCount
    from lesionctl.dataset.samples import Split
    from lesionctl.errors import Failure
    from lesionctl.imaging.postprocess import Postprocess
    from lesionctl.scoring.counts import Counts
    from lesionctl.scoring.roc import ProbabilityHistogram

_SCHEMA = 1


@dataclass(frozen=True)
class ImageScore:
    """One picture.

    Attributes:
        id: Its id.
        source: The set that it came from.
        counts: Its pixels by truth and prediction, at the truth's own size.
        seen: Whether the model has seen it in training; None where that cannot be known.
    """

    id: str
    source: str
    counts: Counts
    seen: bool | None = None

    def figures(self) -> dict[str, float]:
        """Every overlap figure of this picture."""
        return {name: figure(self.counts) for name, figure in FIGURES.items()}


@dataclass(frozen=True)
class Origin:
    """What a model was scored on, and what it knew of that before.

    Attributes:
        store_digest: Digest of the prepared set.
        split: Which of its splits.
        fold: Of which fold; None where the splits were taken as they stand.
        training_digest: The model's own word on what it was trained and tuned on; empty where it has none.
        seen: How many pictures of the split it has seen; None where it does not say.
        complete: Whether it says all that it has seen.
        left_out: Whether those that it has seen were not scored.
    """

    store_digest: str
    split: Split
    fold: int | None
    training_digest: str
    seen: SeenCount | None
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
            "seen_in_training": seen and {**seen, "left_out": self.left_out, "complete": self.complete},
        }


class Evaluation:
    """Scores of a set of pictures, at the size of each true mask.

    Args:
        prediction: What was scored: a model or a folder.
        truth: What it was compared with.
        threshold: The probability above which a pixel was lesion; None for masks that are made already.
        postprocess: What was done to a mask then; None likewise.
        origin: What a model was scored on; None likewise.
    """

    def __init__(
        self,
        prediction: str,
        truth: str,
        threshold: float | None = None,
        postprocess: Postprocess | None = None,
        origin: Origin | None = None,
    ) -> None:
        self.prediction = prediction
        self.truth = truth
        self.threshold = threshold
        self.postprocess = postprocess
        self.origin = origin
        self.images: list[ImageScore] = []
        self.failures: list[Failure] = []
        self.board = Scoreboard()

    def add(self, score: ImageScore, histogram: ProbabilityHistogram | None = None) -> None:
        """Add a picture."""
        self.images.append(score)
        self.board.add(score.counts, histogram)

    def by_source(self) -> dict[str, Scoreboard]:
        """A scoreboard for each source of pictures, by name."""
        boards: dict[str, Scoreboard] = defaultdict(Scoreboard)
        for image in self.images:
            boards[image.source].add(image.counts)
        return dict(sorted(boards.items()))

    def to_dict(self) -> dict[str, Any]:
        """The whole in JSON's forms, under a schema with a version."""
        return {
            "schema": _SCHEMA,
            "prediction": self.prediction,
            "truth": self.truth,
            "threshold": self.threshold,
            "postprocess": None if self.postprocess is None else asdict(self.postprocess),
            **(self.origin.to_dict() if self.origin else {}),
            "resolution": "each truth mask's own size",
            "n": len(self.images),
            "per_image_mean": self.board.per_image(),
            "pooled": self.board.pooled(),
            "pooled_roc_auc": self.board.roc_auc(),
            "pooled_confusion_pixels": asdict(self.board.confusion()),
            "per_image_mean_by_source": {
                name: {"n": len(board), **board.per_image()} for name, board in self.by_source().items()
            },
            "failures": [{"path": str(failure.path), "reason": failure.reason} for failure in self.failures],
        }

    def to_csv(self) -> str:
        """A row for each picture: id, source, whether it was seen (1, 0, or nothing), counts of pixels, figures."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["id", "source", "seen", "tp", "fp", "fn", "tn", *FIGURES])
        for image in self.images:
            counts = image.counts
            numbers = [f"{value:.6f}" for value in image.figures().values()]
            seen = "" if image.seen is None else int(image.seen)
            writer.writerow([image.id, image.source, seen, counts.tp, counts.fp, counts.fn, counts.tn, *numbers])
        return text.getvalue()
