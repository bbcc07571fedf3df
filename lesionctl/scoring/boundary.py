"""Boundary figures of a pair of masks: how far the outlines lie apart.

The boundary of a mask is its lesion pixels that have one of their four neighbours outside the lesion; what lies beyond
the picture is outside. Distances are Euclidean, in pixels, between the centres of boundary pixels. Per cent are of the
true lesion's diameter: of the disc of equal area, `2 * sqrt(area / pi)`.

Where a mask is empty there is nothing to measure from, and these conventions hold. Both empty: all distances are 0,
normalised surface Dice and boundary IoU are 1. One empty: HD95 and ASSD are the picture's diagonal, normalised surface
Dice and boundary IoU are 0; per cent of an empty truth are of the diagonal: 100.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from lesionctl.scoring.tolerance import DEFAULT_TOLERANCES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionctl.imaging.arrays import Mask
    from lesionctl.scoring.tolerance import Tolerance

    Region = NDArray[np.uint8]  # 0 and 1
    Distances = np.ndarray[tuple[int], np.dtype[np.float64]]

BAND = 0.02
"""Width of the band of boundary IoU, of the picture's diagonal (Cheng et al. 2021)."""

_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_SQUARE = np.ones((3, 3), np.uint8)

_PIXELS_PER_POINT = 32  # to find the nearest of a point costs as much as the distance transform of so many pixels


def boundary_figures(
    prediction: Mask, truth: Mask, tolerances: Sequence[Tolerance] = DEFAULT_TOLERANCES
) -> dict[str, float]:
    """Measure how far the outline of a prediction is from the true one.

    Args:
        prediction: bool `[H, W]`.
        truth: bool `[H, W]`.
        tolerances: Those of the normalised surface Dice.

    Returns:
        By name: "hd95" and "assd" in pixels, "hd95_percent" and "assd_percent" of the true lesion's diameter, the
        normalised surface Dice under the name of each tolerance and "boundary_iou", both in [0, 1].

        - HD95: the larger of the two directed 95th percentiles of the distances, linearly interpolated (Maier-Hein et
          al. 2024).
        - ASSD, average symmetric surface distance: the mean over the pixels of both boundaries together (ibid.).
        - Normalised surface Dice: the share of the pixels of both boundaries that are no farther from the other
          boundary than the tolerance (Nikolov et al. 2021).
        - Boundary IoU: the Jaccard index of the bands of both masks that lie within 2 % of the picture's diagonal of
          their outline, on the inside (Cheng et al. 2021).

    Raises:
        ValueError: The shapes differ.
    """
    if prediction.shape != truth.shape:
        raise ValueError(f"prediction {prediction.shape} and truth {truth.shape} differ in shape")
    diagonal = math.hypot(*truth.shape)
    boxes = [cv2.boundingRect(mask.view(np.uint8)) for mask in (prediction, truth)]
    present = [width > 0 for _, _, width, _ in boxes]
    diameter = 2 * math.sqrt(np.count_nonzero(truth) / math.pi) if present[1] else diagonal
    if not all(present):
        distance, overlap = (diagonal, 0.0) if any(present) else (0.0, 1.0)
        return _named(distance, distance, diameter, {tolerance.name: overlap for tolerance in tolerances}, overlap)

    window = _window(boxes)
    predicted, true = (mask[window].view(np.uint8) for mask in (prediction, truth))
    outline, other = _outline(predicted), _outline(true)
    there, back = _distances(outline, other), _distances(other, outline)
    hd95 = max(float(np.percentile(distances, 95)) for distances in (there, back))
    both = np.concatenate([there, back])
    surface_dice = {tolerance.name: float(np.mean(both <= tolerance.pixels(diameter))) for tolerance in tolerances}
    return _named(hd95, float(both.mean()), diameter, surface_dice, _boundary_iou(predicted, true, diagonal))


def _named(
    hd95: float, assd: float, diameter: float, surface_dice: dict[str, float], boundary_iou: float
) -> dict[str, float]:
    return {
        "hd95": hd95,
        "hd95_percent": 100 * hd95 / diameter,
        "assd": assd,
        "assd_percent": 100 * assd / diameter,
        **surface_dice,
        "boundary_iou": boundary_iou,
    }


def _window(boxes: Sequence[Sequence[int]]) -> tuple[slice, slice]:
    """What holds all boxes of (x, y, width, height): nothing beyond it changes a figure."""
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    return slice(top, bottom), slice(left, right)


def _outline(region: Region) -> Region:
    """The pixels of a region that have one of their four neighbours outside."""
    return region ^ _erode(region, _CROSS)


def _erode(region: Region, element: Region, times: int = 1) -> Region:
    eroded = cv2.erode(region, element, iterations=times, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return cast("Region", eroded)


def _distances(outline: Region, other: Region) -> Distances:
    """The distance of each pixel of an outline, in no order, from the nearest pixel of another one.

    The time that a tree takes grows with the outlines' lengths, that of a distance transform with the area. The tree
    wins by far where the outlines are smooth, the transform where they are ragged (dithered, or of noise).
    """
    points = cv2.countNonZero(outline) + cv2.countNonZero(other)
    if points * _PIXELS_PER_POINT < outline.size:
        from scipy.spatial import KDTree  # half of the time of importing all that scores

        # A tree of plain halves, neither balanced nor shrunk to its points, is faster to build and to search.
        tree = KDTree(_points(other), leafsize=32, compact_nodes=False, balanced_tree=False)
        return cast("Distances", tree.query(_points(outline))[0])
    field = cv2.distanceTransform(1 - other, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)  # float32
    # A squared distance is a whole number, which brings back what float32 rounded off: all of it up to 900 pixels.
    return np.sqrt(np.rint(np.square(field[outline.view(np.bool_)], dtype=np.float64)))


def _points(outline: Region) -> NDArray[np.float64]:
    return cv2.findNonZero(outline).reshape(-1, 2).astype(np.float64)


def _boundary_iou(predicted: Region, true: Region, diagonal: float) -> float:
    width = max(1, round(BAND * diagonal))
    band, other = (region ^ _erode(region, _SQUARE, width) for region in (predicted, true))
    return cv2.countNonZero(band & other) / cv2.countNonZero(band | other)
