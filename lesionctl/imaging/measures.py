"""The measurable figures of the ABCD rule: asymmetry, border, colours and diameter of a lesion, and where it lies.

They describe a mask and a photograph, and are no diagnosis: lengths are in pixels, for a photograph seldom says how
large one is on the skin, and colours are those of an uncalibrated camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionctl.imaging.arrays import Image, Mask
    from lesionctl.imaging.frame import Frame

COLOURS = MappingProxyType(
    {
        "white": (197, 188, 217),
        "red": (118, 21, 17),
        "light brown": (163, 82, 16),
        "dark brown": (135, 44, 5),
        "blue-grey": (113, 108, 139),
        "black": (41, 31, 30),
    }
)
"""The six colours of dermoscopy, and what each looks like in RGB, by Kasmi and Mokrani, "Classification of malignant
melanoma and benign skin lesions: implementation of automatic ABCD rule", 2016."""

COLOUR_SHARE = 0.05
"""A colour counts from this share of the lesion on."""

_SIDE = 384  # pixels: a lesion that is longer is looked at in a grid of points, for its asymmetry and its border
_BLUR = 1.5  # pixels of that grid: standard deviation of the blur that its border is measured in
_ANGLES, _RADII = 256, 128  # of the polar grid that mirror images are compared in: an axis every 0.7 degrees
_LEVELS = 32  # per channel, of the histogram of the lesion's colours


@dataclass(frozen=True)
class Measures:
    """What can be measured of a lesion. All of the mask's regions together are the lesion.

    Where nothing was found, numbers of things are 0 and the rest is None.

    Attributes:
        lesion_pixels: Pixels of the mask that are lesion.
        lesion_percent: Their share of the picture, in per cent.
        regions: How many separate regions they form; pixels that touch by a corner are of one.
        bounding_box: Left, top, right and bottom in pixels of the picture, right and bottom exclusive.
        centroid: Mean x and y of the lesion's pixels, from the picture's upper left corner: a pixel's centre is at 0.5.
        diameter: Largest distance of two points of the lesion (Feret's diameter), in pixels, from outer edge to edge.
        asymmetry: In [0, 1]: the share of the lesion that does not overlap its own mirror image, as the mean over two
            perpendicular axes through its centroid, for those two that make it least, as the ABCD rule sets them
            (Nachbar et al., "The ABCD rule of dermatoscopy", 1994; the share is that of Stoecker et al., "Automatic
            detection of asymmetry in skin tumors", 1992). It is about shape alone; holes count as lesion. None too
            where all regions are too thin to be seen at 384 pixels.
        border_irregularity: At least 1: perimeter² / (4π · area) of what the outer outlines enclose: 1 for a disc, 1.27
            for a square, n for n equal discs (Golston et al., "Automatic detection of irregular borders in melanoma and
            other skin tumors", 1992). It is rounded off on lesions of less than some 50 pixels' length. None too where
            all regions are too thin to be seen at 384 pixels.
        colours: Which of the six colours of dermoscopy cover at least 5 % of the lesion, each of its pixels taken as
            the nearest in RGB. How a camera renders colours changes it: compare pictures of one camera only. None too
            where the lesion is too small to be seen by the network.
    """

    lesion_pixels: int
    lesion_percent: float
    regions: int
    bounding_box: tuple[int, int, int, int] | None
    centroid: tuple[float, float] | None
    diameter: float | None
    asymmetry: float | None
    border_irregularity: float | None
    colours: tuple[str, ...] | None


def measure(mask: Mask, view: Image, frame: Frame) -> Measures:
    """Measure a lesion.

    Args:
        mask: bool `[H, W]`, at the picture's own size: where shape and size come from.
        view: uint8 `[size, size, 3]`, the network's view of the picture: where colours come from.
        frame: How the picture became the view.
    """
    outlines = _outlines(mask)
    if not outlines:
        return Measures(0, 0.0, 0, None, None, None, None, None, None)
    hull = _hull(outlines)
    (left, top), (right, bottom) = hull.min(axis=0).tolist(), (hull.max(axis=0) + 1).tolist()
    lesion = mask[top:bottom, left:right]
    pixels, (x, y) = _mass(lesion)
    shape = _sample(lesion)
    return Measures(
        lesion_pixels=pixels,
        lesion_percent=100 * pixels / mask.size,
        regions=len(outlines),
        bounding_box=(left, top, right, bottom),
        centroid=(left + x, top + y),
        diameter=_diameter(hull),
        asymmetry=None if shape is None else _asymmetry(shape),
        border_irregularity=None if shape is None else _border_irregularity(shape),
        colours=_colours(mask, view, frame),
    )


def _outlines(mask: Mask) -> tuple[NDArray[np.int32], ...]:
    """The outer outline of each region, int32 `[N, 1, 2]`: x and y of its outermost pixels."""
    found, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return tuple(found)  # type: ignore[arg-type]


def _hull(outlines: tuple[NDArray[np.int32], ...]) -> NDArray[np.int32]:
    """The pixels at the corners of the lesion's convex hull: int32 `[N, 2]`, x and y."""
    hull: NDArray[np.int32] = cv2.convexHull(np.concatenate(outlines)).astype(np.int32, copy=False)
    return hull[:, 0]


def _mass(lesion: Mask) -> tuple[int, tuple[float, float]]:
    """How many pixels are lesion, and the mean x and y of them, a pixel's centre at 0.5."""
    per_column, per_row = (
        cv2.reduce(lesion.view(np.uint8), along, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() for along in (0, 1)
    )
    pixels = int(per_column.sum())
    x, y = (float(counts @ np.arange(0.5, len(counts))) / pixels for counts in (per_column, per_row))
    return pixels, (x, y)


def _diameter(hull: NDArray[np.int32]) -> float:
    """Largest distance of two corners of the hull's pixels: a pixel reaches from -0.5 to 0.5 around its centre."""
    apart = np.abs(hull[:, None] - hull[None]) + 1.0
    return float(np.sqrt(np.square(apart).sum(axis=-1).max()))


def _sample(lesion: Mask) -> Image | None:
    """What the outer outlines enclose, seen in at most 384 × 384 points: uint8 `[h, w]`, 0 and 255; None if empty."""
    step = -(-max(lesion.shape) // _SIDE)
    rows, columns = (slice(min(step, length) // 2, None, step) for length in lesion.shape)
    points = np.ascontiguousarray(lesion[rows, columns])
    outlines = _outlines(points)
    shape = np.zeros(points.shape, np.uint8)
    cv2.drawContours(shape, outlines, -1, 255, cv2.FILLED)
    return shape if outlines else None


def _asymmetry(shape: Image) -> float | None:
    """The least over all axes, which a Fourier transform gives at once.

    Around the centroid, in polar coordinates, mirroring at the axis of angle a turns an angle b into 2a - b: what a
    shape shares with all of its mirror images is, at each radius, its circular convolution with itself.
    """
    _, (x, y) = _mass(shape > 0)
    height, width = shape.shape
    reach = float(np.hypot(max(x, width - x), max(y, height - y)))
    flags = cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS
    polar = cv2.warpPolar(shape, (_RADII, _ANGLES), (x - 0.5, y - 0.5), reach, flags) > 127
    radius = np.arange(_RADII)
    spectrum = np.fft.rfft(polar.T.astype(np.float64))
    shared = np.fft.irfft(radius @ np.square(spectrum), _ANGLES)
    total = float(radius @ polar.sum(axis=0))
    if not total:  # specks that lie between all points of the grid
        return None
    both = shared[: _ANGLES // 2] + shared[_ANGLES // 2 :]  # an axis, and the one that is perpendicular to it
    return float(np.clip(1 - both.max() / 2 / total, 0, 1))


def _border_irregularity(shape: Image) -> float:
    """From the perimeter as the total variation of the slightly blurred shape.

    By the coarea formula (Fleming and Rishel, "An integral formula for total gradient variation", 1960) that is the
    mean length of its level lines. Unlike lengths along pixels it does not depend on the direction of a line.
    """
    margin = 8
    padded = cv2.copyMakeBorder(shape, *(4 * (margin,)), cv2.BORDER_CONSTANT, value=0)
    blurred = cv2.GaussianBlur(padded.astype(np.float32), (0, 0), _BLUR)
    across, down = (cv2.Sobel(blurred, cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1)))
    perimeter = float(cv2.magnitude(across, down).sum()) / 255
    area = cv2.countNonZero(shape)
    return max(1.0, perimeter**2 / (4 * np.pi * area))


def _colours(mask: Mask, view: Image, frame: Frame) -> tuple[str, ...] | None:
    content = view[frame.top : frame.top + frame.rows, frame.left : frame.left + frame.columns]
    lesion = cv2.resize(mask.view(np.uint8), (frame.columns, frame.rows), interpolation=cv2.INTER_NEAREST)
    histogram = cv2.calcHist([content], [0, 1, 2], lesion, [_LEVELS] * 3, [0, 256] * 3)
    amounts = histogram.ravel() @ _nearest_colours()
    seen = amounts.sum()
    if not seen:
        return None
    return tuple(name for name, amount in zip(COLOURS, amounts, strict=True) if amount >= COLOUR_SHARE * seen)


@cache
def _nearest_colours() -> NDArray[np.float32]:
    """float32 `[32 · 32 · 32, 6]`: 1 where a bin of the histogram is nearest to a colour."""
    width = 256 / _LEVELS
    centres = np.arange(_LEVELS) * width + (width - 1) / 2
    bins = np.stack(np.meshgrid(centres, centres, centres, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    distances = np.square(bins - np.array(list(COLOURS.values()))).sum(axis=-1)
    return np.eye(len(COLOURS), dtype=np.float32)[distances.argmin(axis=1)]
