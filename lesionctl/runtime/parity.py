"""Whether two segmenters say the same of the same pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lesionctl.drawing.paint import paint_scene
from lesionctl.drawing.scene import plan_scene
from lesionctl.scoring.counts import count
from lesionctl.scoring.overlap import dice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lesionctl.imaging.arrays import Image, Mask
    from lesionctl.runtime.segmenter import Segmenter
    from lesionctl.runtime.tolerance import Tolerance

_STEPS = 10_000  # in which differences are counted: 0.0001
_BULK = 0.999


@dataclass(frozen=True)
class Parity:
    """How far two segmenters agree.

    Attributes:
        pictures: On how many pictures they were compared.
        largest_difference: Largest difference of a probability, in [0, 1].
        quantile_difference: 99.9 % of the probabilities of all pictures differ by no more, in steps of 0.0001.
        mean_difference: Mean difference of a probability.
        smallest_dice: Smallest Dice between their masks of a picture, in [0, 1].
        mean_dice: Mean over the pictures of the Dice between their masks.
        original_truth_dice: Mean over the pictures of the original's Dice against the truth; None without truths.
        copy_truth_dice: The copy's, likewise.
    """

    pictures: int
    largest_difference: float
    quantile_difference: float
    mean_difference: float
    smallest_dice: float
    mean_dice: float
    original_truth_dice: float | None = None
    copy_truth_dice: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """The same in JSON's forms."""
        return asdict(self)

    def within(self, tolerance: Tolerance) -> bool:
        """Whether they agree well enough."""
        return (
            self.quantile_difference <= tolerance.quantile
            and self.mean_dice >= tolerance.mean_dice
            and self.smallest_dice >= tolerance.smallest_dice
            and (tolerance.largest is None or self.largest_difference <= tolerance.largest)
        )

    def describe(self, kind: str = "pictures") -> str:
        """The same in words.

        Args:
            kind: What they were compared on.
        """
        truth = ""
        if self.original_truth_dice is not None:
            truth = (
                f"; Dice against the truth {self.copy_truth_dice:.4f}, the original's {self.original_truth_dice:.4f}"
            )
        return (
            f"compared on {self.pictures} {kind}: largest difference of a probability "
            f"{self.largest_difference:.2g}, of 99.9 % of them {self.quantile_difference:.2g}; Dice between the masks "
            f"{self.mean_dice:.5f} on average, {self.smallest_dice:.5f} at least{truth}"
        )


class Example(NamedTuple):
    """A picture to compare on.

    Attributes:
        image: uint8 `[H, W, 3]`.
        truth: Its true mask, bool `[H, W]`, where it has one.
    """

    image: Image
    truth: Mask | None = None


def compare(original: Segmenter, copy: Segmenter, examples: Iterable[Example]) -> Parity:
    """Run both on pictures: probabilities are compared as the network gives them, masks as people get them.

    Args:
        original: What is right.
        copy: What is compared with it.
        examples: At least one; all with a truth, or none.
    """
    largest = 0.0
    steps = np.zeros(_STEPS + 1, np.int64)
    total = 0.0
    agreement: list[float] = []
    against_truth: list[tuple[float, float]] = []
    for image, truth in examples:
        expected, actual = original.segment([image])[0], copy.segment([image])[0]
        frame = original.spec.frame(*image.shape[:2])
        masks = original.mask(expected, frame), original.mask(actual, frame)
        # What is no number differs by as much as can be.
        difference = np.nan_to_num(np.abs(expected - actual), nan=1.0, posinf=1.0).clip(max=1)
        largest = max(largest, float(difference.max()))
        total += float(difference.mean(dtype=np.float64))
        # A hair is taken off, so that rounding does not lift what is on a step to the next one.
        steps += np.bincount(np.ceil(difference.ravel() * _STEPS - 1e-3).clip(0).astype(np.intp), minlength=_STEPS + 1)
        agreement.append(dice(count(*masks)))
        if truth is not None:
            against_truth.append((dice(count(masks[0], truth)), dice(count(masks[1], truth))))
    bulk = int(np.searchsorted(steps.cumsum(), _BULK * steps.sum()))
    truths = [float(mean) for mean in np.mean(against_truth, axis=0)] if against_truth else [None, None]
    return Parity(
        pictures=len(agreement),
        largest_difference=largest,
        quantile_difference=bulk / _STEPS,
        mean_difference=total / len(agreement),
        smallest_dice=min(agreement),
        mean_dice=float(np.mean(agreement)),
        original_truth_dice=truths[0],
        copy_truth_dice=truths[1],
    )


def draw_examples(number: int) -> Iterator[Example]:
    """Pictures to compare on where a person gives none, always the same, with their true masks left out."""
    for scene in range(number):
        yield Example(paint_scene(0, plan_scene(0, scene))[0])
