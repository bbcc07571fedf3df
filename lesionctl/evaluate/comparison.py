"""Two evaluations of the same pictures, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lesionctl.scoring.overlap import dice

if TYPE_CHECKING:
    from lesionctl.evaluate.evaluation import Evaluation


@dataclass(frozen=True)
class Comparison:
    """How far one evaluation is ahead of another.

    Attributes:
        differences: By figure, the mean over pictures of the first less that of the second.
        better: On how many pictures the first has the higher Dice.
        equal: On how many both have the same.
        worse: On how many the second has the higher one.
    """

    differences: dict[str, float]
    better: int
    equal: int
    worse: int

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms."""
        return {
            "per_image_mean_difference": self.differences,
            "pictures_by_dice": {"better": self.better, "equal": self.equal, "worse": self.worse},
        }


def compare(one: Evaluation, other: Evaluation) -> Comparison:
    """Compare two evaluations picture by picture.

    Raises:
        ValueError: They are not of the same pictures in the same order.
    """
    if [(image.source, image.id) for image in one.images] != [(image.source, image.id) for image in other.images]:
        raise ValueError("only evaluations of the same pictures can be compared")
    ours, theirs = one.board.per_image(), other.board.per_image()
    ahead = [dice(mine.counts) - dice(yours.counts) for mine, yours in zip(one.images, other.images, strict=True)]
    return Comparison(
        differences={name: ours[name] - theirs[name] for name in ours},
        better=sum(difference > 0 for difference in ahead),
        equal=sum(difference == 0 for difference in ahead),
        worse=sum(difference < 0 for difference in ahead),
    )
