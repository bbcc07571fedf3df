"""What is done to a mask once it is one: a single region, without holes, without specks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.imaging.arrays import Mask

    Contour = np.ndarray[tuple[int, int, int], np.dtype[np.int32]]


@dataclass(frozen=True)
class Postprocess:
    """What is done to a mask, in this order: holes are filled, small regions dropped, all but the largest dropped.

    Pixels that touch by an edge or a corner are one region (8-connectivity); a hole is background that no path over
    edges alone (4-connectivity) joins to the picture's border. They belong together: a closed line of lesion that goes
    round a corner would otherwise separate nothing. Holes come first, so that a lesion whose middle was missed is as
    large as it looks.

    Args:
        largest_region: Keep the largest region alone; of several that are equally large, the first, row by row from the
            top.
        fill_holes: Make the holes of regions lesion, and what lies in them.
        smallest_area: Drop regions that are smaller than this share of the picture, in [0, 1): the same at any
            resolution.

    Raises:
        ValueError: `smallest_area` is no share.
    """

    largest_region: bool = False
    fill_holes: bool = False
    smallest_area: float = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 <= self.smallest_area < 1:
            raise ValueError(f"the smallest area, {self.smallest_area}, is no share of the picture in [0, 1)")

    def __and__(self, other: Postprocess) -> Postprocess:
        """What both do."""
        return Postprocess(
            self.largest_region and other.largest_region,
            self.fill_holes and other.fill_holes,
            min(self.smallest_area, other.smallest_area),
        )

    def describe(self) -> str:
        """The same in words."""
        steps = [
            "holes filled" if self.fill_holes else "",
            f"regions below {self.smallest_area:.3g} of the picture dropped" if self.smallest_area else "",
            "largest region" if self.largest_region else "",
        ]
        return ", ".join(step for step in steps if step) or "none"

    def apply(self, mask: Mask) -> Mask:
        """The mask after it.

        It works on outlines and not on labels of pixels, which is some thirty times as fast on a large picture: nearly
        none of its pixels are on one.

        Args:
            mask: bool `[H, W]`; it is not changed, and returned itself where there is nothing to do.

        Returns:
            bool `[H, W]`.
        """
        if self == Postprocess():
            return mask
        mode = cv2.RETR_EXTERNAL if self.fill_holes else cv2.RETR_CCOMP
        found, hierarchy = cv2.findContours(mask.view(np.uint8), mode, cv2.CHAIN_APPROX_NONE)
        if not found:
            return mask
        outlines: dict[int, list[Contour]] = {}  # by region: its border, then those of its holes
        for number, parent in enumerate(hierarchy[0, :, 3].tolist()):
            outlines.setdefault(number if parent < 0 else parent, []).append(found[number])  # type: ignore[arg-type]
        regions = list(outlines.values())
        kept = self._choose(regions, mask.size)
        if len(kept) == len(regions) and not self.fill_holes:
            return mask
        drawn = np.zeros(mask.shape, np.uint8)
        if kept:
            cv2.drawContours(drawn, [outline for region in kept for outline in region], -1, 1, cv2.FILLED)
        return drawn.view(np.bool_)

    def _choose(self, regions: list[list[Contour]], pixels: int) -> list[list[Contour]]:
        if not (self.largest_region and len(regions) > 1) and not self.smallest_area:
            return regions
        areas = [_area(region) for region in regions]
        kept = [number for number, area in enumerate(areas) if area >= self.smallest_area * pixels]
        if self.largest_region and kept:
            largest = max(areas[number] for number in kept)
            kept = [number for number in kept if areas[number] == largest]
            kept = [min(kept, key=lambda number: _first_pixel(regions[number]))]
        return [regions[number] for number in kept]


def _area(region: Sequence[Contour]) -> int:
    """Pixels of a region, from the outlines through its outermost pixels and through those around its holes.

    By Pick's theorem, a polygon of area A through B pixels has A + B / 2 + 1 pixels on and within it, and A - B / 2 + 1
    within it alone.
    """
    border, *holes = region
    return _on_and_within(border) - sum(_on_and_within(hole) - len(hole) for hole in holes)


def _on_and_within(outline: Contour) -> int:
    steps = len(outline) if len(outline) > 1 else 0  # a single pixel has no way around it
    return round(cv2.contourArea(outline) + steps / 2) + 1


def _first_pixel(region: Sequence[Contour]) -> tuple[int, int]:
    """Row and column of the region's first pixel, which is on its border."""
    columns, rows = region[0][:, 0].T
    return int(rows.min()), int(columns[rows == rows.min()].min())
