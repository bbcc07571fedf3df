"""Whether two segmenters say the same of the same pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.scoring.counts import count
from lesionctl.scoring.overlap import dice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lesionctl.imaging.arrays import Image
    from lesionctl.runtime.segmenter import Segmenter


@dataclass(frozen=True)
class Parity:
    """How far two segmenters agree.

    Attributes:
        pictures: On how many pictures they were compared.
        largest_difference: Largest difference of a probability, in [0, 1].
        smallest_dice: Smallest Dice between their masks of a picture, in [0, 1].
    """

    pictures: int
    largest_difference: float
    smallest_dice: float

    def to_dict(self) -> dict[str, float]:
        """The same in JSON's forms."""
        return asdict(self)

    def within(self, tolerance: Tolerance) -> bool:
        """Whether they agree well enough."""
        return self.largest_difference <= tolerance.difference and self.smallest_dice >= tolerance.dice


@dataclass(frozen=True)
class Tolerance:
    """How far a copy may be from its original.

    Attributes:
        difference: Largest difference of a probability.
        dice: Smallest Dice between the masks of a picture.
    """

    difference: float
    dice: float


def compare(original: Segmenter, copy: Segmenter, images: Iterable[Image]) -> Parity:
    """Run both on pictures: probabilities are compared as the network gives them, masks as people get them.

    Args:
        original: What is right.
        copy: What is compared with it.
        images: Each uint8 `[H, W, 3]`; at least one.
    """
    pictures, largest, smallest = 0, 0.0, 1.0
    for image in images:
        expected, actual = original.segment([image])[0], copy.segment([image])[0]
        frame = original.spec.frame(*image.shape[:2])
        masks = original.mask(expected, frame), copy.mask(actual, frame)
        pictures += 1
        largest = max(largest, float(np.abs(expected - actual).max()))
        smallest = min(smallest, dice(count(*masks)))
    return Parity(pictures, largest, smallest)
