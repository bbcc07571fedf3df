"""Which masks a person should look at, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lesionctl.imaging.confidence import confidence
from lesionctl.imaging.familiarity import describe_view

if TYPE_CHECKING:
    from lesionctl.imaging.arrays import Image, Mask
    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.stream import Segmented

# What each flag finds of the failures in a set, and how many pictures it takes:
#     python tests/benchmarks/review_curve.py STORE --split val [--tta]
# The limits of confidence and familiarity depend on the model: its training chooses them (train/limits.py).
REGION_SHARE = 0.05  # of the lesion: regions beside the largest that make up less are specks
BORDER_SHARE = 0.2  # of the picture's border: lesions that are cut off at a corner of it are the rule in some clinics
SMALL_SHARE = 0.015  # of the picture
FILLING_SHARE = 0.9  # of the picture
DISAGREEMENT = 0.1  # the deviation over views or models, summed over the pixels, as a share of the lesion's area


class Flag(StrEnum):
    """A reason to look at a mask."""

    NOTHING = "nothing found"
    SEVERAL = "several regions"
    BORDER = "touches the border"
    SMALL = "very small"
    FILLING = "frame-filling"
    UNSURE = "low confidence"
    DISAGREE = "views disagree"
    UNFAMILIAR = "unlike the training pictures"


@dataclass(frozen=True)
class Review:
    """What a person should know of a mask before trusting it.

    Attributes:
        confidence: How sure the model is, in [0, 1]; the masks with the lowest are the most likely to be wrong.
        flags: The reasons to look at it, in the order of `Flag`; often none.
    """

    confidence: float
    flags: tuple[Flag, ...]


@dataclass(frozen=True)
class Signs:
    """The figures that the flags are raised by.

    Attributes:
        confidence: See `lesionctl.imaging.confidence`.
        area: The lesion's share of the picture.
        other_regions: Share of the lesion outside its largest region.
        border: Share of the picture's border that is lesion.
        disagreement: Of views or models, see `DISAGREEMENT`; None where there is one answer only.
        distance: From the training pictures; None where the model does not say what is familiar to it.
    """

    confidence: float
    area: float
    other_regions: float
    border: float
    disagreement: float | None
    distance: float | None


def review(mask: Mask, segmented: Segmented, spec: ModelSpec) -> Review:
    """Judge a mask.

    Args:
        mask: bool `[H, W]`, of the picture's own size.
        segmented: What the network saw and said.
        spec: The model's.
    """
    signs = find_signs(mask, segmented, spec)
    found = bool(mask.any())
    raised = {
        Flag.NOTHING: not found,
        Flag.SEVERAL: signs.other_regions > REGION_SHARE,
        Flag.BORDER: signs.border > BORDER_SHARE,
        Flag.SMALL: found and signs.area < SMALL_SHARE,
        Flag.FILLING: signs.area > FILLING_SHARE,
        Flag.UNSURE: found and spec.confidence_limit is not None and signs.confidence < spec.confidence_limit,
        Flag.DISAGREE: signs.disagreement is not None and signs.disagreement > DISAGREEMENT,
        Flag.UNFAMILIAR: spec.familiar is not None
        and signs.distance is not None
        and signs.distance > spec.familiar.limit,
    }
    return Review(round(signs.confidence, 4), tuple(flag for flag in Flag if raised[flag]))


def find_signs(mask: Mask, segmented: Segmented, spec: ModelSpec) -> Signs:
    """Measure what the flags are raised by, at the network's scale but for the border; arguments as of `review`."""
    frame = segmented.frame
    small: Image = cv2.resize(mask.view(np.uint8), (frame.columns, frame.rows), interpolation=cv2.INTER_NEAREST)  # type: ignore[assignment]
    shown = slice(frame.top, frame.top + frame.rows), slice(frame.left, frame.left + frame.columns)
    lesion = max(1, int(np.count_nonzero(small)))
    edges = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    spread, familiar = segmented.spread, spec.familiar
    return Signs(
        confidence=confidence(segmented.probability[shown], small.view(np.bool_)),
        area=np.count_nonzero(small) / small.size,
        other_regions=_outside_largest_region(small) / lesion,
        border=np.count_nonzero(edges) / edges.size,
        disagreement=None if spread is None else float(spread[shown].sum()) / lesion,
        distance=None if familiar is None else familiar.distance(describe_view(segmented.view)),
    )


def _outside_largest_region(mask: Image) -> int:
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if len(outlines) < 2:  # as nearly always: counting the pixels of regions takes ten times as long
        return 0
    _, _, regions, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = regions[1:, cv2.CC_STAT_AREA]
    return int(areas.sum() - areas.max())
