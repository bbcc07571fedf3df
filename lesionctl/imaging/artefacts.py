"""Dermoscopy's artefacts, painted over a picture: what lies on the skin, on the glass and in the light.

A painter takes an image and a generator and returns a new image; the same state of the generator gives the same
picture. Sizes are fractions of the image's shorter side, so that a painter does the same at every resolution. No
painter moves a pixel of skin: the mask of the lesion stays true.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from lesionctl.imaging.arrays import Image

Painter: TypeAlias = Callable[[Image, np.random.Generator], Image]
"""Takes uint8 RGB `[H, W, 3]`, of any size, and returns a new one of the same size."""

_Coverage = NDArray[np.uint8]
"""How much of a pixel a drawing covers: uint8 `[H, W]`, 0 to 255."""

_Points = NDArray[np.float64]
"""Places in a picture, (x, y) in pixels: float64 `[..., 2]`."""

_Colour = tuple[float, float, float]
"""Red, green, blue, 0 to 255."""

# OpenCV draws at fractions of a pixel when it gets coordinates as fixed-point numbers with this many binary digits.
_SUBPIXEL = 4


def add_ink(image: Image, rng: np.random.Generator) -> Image:
    """Scribble violet or blue pen marks near the edge of the picture, where a surgeon frames the lesion.

    Args:
        image: uint8 RGB `[H, W, 3]`.
        rng: Source of every random choice.

    Returns:
        A new image of the same shape.
    """
    size = _size(image)
    short = size.min()
    coverage = _nothing(image)
    for angle in rng.uniform(0, 2 * np.pi) + np.linspace(0, 2 * np.pi, rng.integers(2, 8), endpoint=False):
        mark = size / 2 + rng.uniform(0.8, 1.05) * size / 2 * _direction(angle)
        lean = rng.uniform(0, np.pi)
        strokes = rng.integers(15, 45)
        middles = mark + rng.normal(0, 0.035 * short, (strokes, 2))
        # A pen is led to and fro: every second stroke crosses the first.
        crossing = lean + np.arange(strokes) % 2 * rng.uniform(0.5, 1.3)
        halves = rng.uniform(0.02, 0.07, (strokes, 1)) * short * _direction(crossing + rng.normal(0, 0.15, strokes))
        _draw_lines(coverage, np.stack([middles - halves, middles + halves], axis=1), 0.003 * short)
    spread = _blur(coverage, 0.012 * short)
    colour = _colour_between((50, 30, 140), (100, 35, 150), rng)
    stained = _blend(image, spread, colour, 0.6)
    return _blend(stained, coverage, colour, rng.uniform(0.5, 0.9))


def add_hair(image: Image, rng: np.random.Generator) -> Image:
    """Lay a few to a few dozen hairs over the picture: bent, tapering, dark or light, at times with a shadow.

    Args:
        image: uint8 RGB `[H, W, 3]`.
        rng: Source of every random choice.

    Returns:
        A new image of the same shape.
    """
    short = _size(image).min()
    coverage = _nothing(image)
    thickness = rng.uniform(0.0025, 0.006) * short
    lie = rng.uniform(0, 2 * np.pi)
    for _ in range(round(np.exp(rng.uniform(np.log(3), np.log(40))))):
        strand = _strand(_size(image), lie + rng.normal(0, 0.5), thickness * rng.uniform(0.6, 1.3), rng)
        cv2.fillPoly(coverage, [_fixed(strand)], rng.integers(170, 256).item(), cv2.LINE_AA, _SUBPIXEL)
    # A hair thinner than a pixel cannot be drawn thinner, but fainter.
    opacity = min(1.0, 0.35 + thickness / 3)
    if rng.random() < 0.4:
        image = _blend(image, _shadow(coverage, 0.006 * short), (60, 35, 30), 0.45 * opacity)
    is_dark = rng.random() < 0.8
    shades = ((20, 10, 8), (105, 68, 45)) if is_dark else ((190, 160, 125), (240, 230, 220))
    return _blend(image, coverage, _colour_between(*shades, rng), opacity)


def _strand(size: _Points, angle: float, thickness: float, rng: np.random.Generator) -> _Points:
    """The outline `[P, 2]` of one hair that lies across any point of the picture and thins towards its tip."""
    length = rng.uniform(0.3, 1.2) * size.min()
    bend = rng.normal(0, 0.9)
    t = np.linspace(0, 1, 24)
    heading = angle + bend * (t - 0.5) + 0.25 * rng.normal() * np.sin(2 * np.pi * t)
    spine = np.cumsum(_direction(heading), axis=0) * length / len(t)
    spine += rng.uniform(0, 1, 2) * size - spine[len(t) // 2]
    half = thickness / 2 * np.sqrt(1 - t)[:, None]
    side = _direction(heading + np.pi / 2)
    return np.concatenate([spine + half * side, (spine - half * side)[::-1]])


def _shadow(coverage: _Coverage, offset: float) -> _Coverage:
    """What lies a little above the skin, once more: moved down and right by `offset` pixels and out of focus."""
    move = np.array([[1, 0, offset], [0, 1, offset]], np.float32)
    moved = cv2.warpAffine(coverage, move, coverage.shape[::-1])
    return _blur(moved, offset / 2)


def add_gel_bubbles(image: Image, rng: np.random.Generator) -> Image:
    """Scatter air bubbles as they float in the contact gel: a bright rim, a dark side and a highlight.

    Args:
        image: uint8 RGB `[H, W, 3]`.
        rng: Source of every random choice.

    Returns:
        A new image of the same shape.
    """
    size = _size(image)
    short = size.min()
    inside, dark, bright = _nothing(image), _nothing(image), _nothing(image)
    lamp = rng.uniform(0, 360)
    for _ in range(rng.integers(4, 26)):
        radius = short * 0.045 * rng.uniform(0.35, 1) ** 3
        axes = radius * rng.uniform(0.8, 1.2, 2)
        centre = rng.uniform(0, 1, 2) * size
        rim = max(1, round(0.12 * radius))
        _draw_arc(inside, centre, axes, (0, 360), cv2.FILLED)
        _draw_arc(dark, centre, axes + rim, (0, 360), rim)
        _draw_arc(bright, centre, axes, (lamp - rng.uniform(60, 150), lamp + rng.uniform(60, 150)), rim)
        _draw_arc(bright, centre, 0.65 * axes, (lamp + 160, lamp + 200), rim)
    image = _blend(image, inside, (255, 250, 245), 0.1)
    image = _blend(image, _blur(dark, 0.002 * short), (60, 35, 30), 0.35)
    return _blend(image, _blur(bright, 0.001 * short), (255, 252, 248), rng.uniform(0.7, 0.95))


def _draw_arc(coverage: _Coverage, centre: _Points, axes: _Points, span: tuple[float, float], thickness: int) -> None:
    middle, radii = (tuple(_fixed(values).tolist()) for values in (centre, axes))
    cv2.ellipse(coverage, middle, radii, 0, *span, 255, thickness, cv2.LINE_AA, _SUBPIXEL)


def add_ruler(image: Image, rng: np.random.Generator) -> Image:
    """Print a millimetre scale near an edge, straight or curved, with longer ticks at every fifth and tenth.

    Args:
        image: uint8 RGB `[H, W, 3]`.
        rng: Source of every random choice.

    Returns:
        A new image of the same shape.
    """
    short = _size(image).min()
    coverage = _nothing(image)
    numbers = np.arange(rng.integers(31, 62))
    lengths = np.select([numbers % 10 == 0, numbers % 5 == 0], [0.036, 0.026], 0.015)[:, None] * short
    draw_scale = _curved_scale if rng.random() < 0.3 else _straight_scale
    feet, inwards = draw_scale(_size(image), len(numbers), rng)
    _draw_lines(coverage, np.stack([feet, feet + lengths * inwards], axis=1), 0.0025 * short)
    _draw_lines(coverage, feet[None], 0.0025 * short)
    _write(coverage, "mm", feet[0] - 0.04 * short * inwards[0], 0.0013 * short)
    return _blend(image, coverage, _colour_between((10, 10, 10), (70, 60, 60), rng), rng.uniform(0.6, 0.95))


def _straight_scale(size: _Points, ticks: int, rng: np.random.Generator) -> tuple[_Points, _Points]:
    """Where the ticks stand and which way they point, both `[ticks, 2]`: along an edge, a little askew."""
    side = rng.choice([0, 0, 0, 1, 2, 3])
    angle = side * np.pi / 2 + rng.normal(0, 0.08)
    along, inward = _direction(angle), _direction(angle - np.pi / 2)
    reach = np.abs(inward) @ size / 2
    middle = size / 2 - rng.uniform(0.7, 0.85) * reach * inward
    places = np.linspace(-0.5, 0.5, ticks)[:, None] * rng.uniform(0.6, 0.9) * (np.abs(along) @ size)
    return middle + places * along, np.broadcast_to(inward, (ticks, 2))


def _curved_scale(size: _Points, ticks: int, rng: np.random.Generator) -> tuple[_Points, _Points]:
    """The same on an arc about the middle of the picture, as on the rim of a contact plate."""
    angles = rng.uniform(0, 2 * np.pi) + rng.uniform(0.025, 0.035) * np.arange(ticks, dtype=float)
    return size / 2 + rng.uniform(0.44, 0.52) * size.min() * _direction(angles), -_direction(angles)


def _write(coverage: _Coverage, text: str, middle: _Points, scale: float) -> None:
    """Print `text` about the point `middle`, in letters of about 21 * `scale` pixels."""
    font, thickness = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(2 * scale))
    (width, height), _ = cv2.getTextSize(text, font, scale, thickness)
    corner = round(middle[0] - width / 2), round(middle[1] + height / 2)
    cv2.putText(coverage, text, corner, font, scale, 255, thickness, cv2.LINE_AA)


def add_vignette(image: Image, rng: np.random.Generator) -> Image:
    """Let the light fall off from a point near the middle of the picture.

    Args:
        image: uint8 RGB `[H, W, 3]`.
        rng: Source of every random choice.

    Returns:
        A new image of the same shape.
    """
    distance = _distance_from(image, rng.uniform(0.35, 0.65, 2))
    light = 1 - rng.uniform(0.25, 0.5) * distance * distance
    return np.clip(image * light[..., None] + 0.5, 0, 255).astype(np.uint8)


def add_dark_corners(image: Image, rng: np.random.Generator) -> Image:
    """Blacken all that lies outside the dermatoscope's round field of view.

    Args:
        image: uint8 RGB `[H, W, 3]`.
        rng: Source of every random choice.

    Returns:
        A new image of the same shape.
    """
    distance = _distance_from(image, 0.5 + rng.normal(0, 0.012, 2))
    radius, softness = rng.uniform(0.68, 0.93), rng.uniform(0.01, 0.06)
    outside = np.clip((distance - radius) / softness + 0.5, 0, 1)
    coverage = (outside * outside * (3 - 2 * outside) * 255).astype(np.uint8)
    return _blend(image, coverage, _colour_between((0, 0, 0), (22, 14, 16), rng), 1.0)


ARTEFACTS: dict[str, Painter] = {
    "ink": add_ink,
    "hair": add_hair,
    "gel_bubble": add_gel_bubbles,
    "ruler": add_ruler,
    "vignette": add_vignette,
    "dark_corner": add_dark_corners,
}
"""Every painter by the name of what it paints, from the skin up to the lens: the order to paint in."""


def _size(image: Image) -> _Points:
    """Width and height in pixels, float64 `[2]`."""
    return np.array(image.shape[1::-1], float)


def _nothing(image: Image) -> _Coverage:
    return np.zeros(image.shape[:2], np.uint8)


def _direction(angle: float | NDArray[np.float64]) -> _Points:
    """Unit vectors `[..., 2]`."""
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _fixed(points: _Points) -> NDArray[np.int32]:
    return np.rint(points * 2**_SUBPIXEL).astype(np.int32)


def _draw_lines(coverage: _Coverage, lines: _Points, thickness: float) -> None:
    """Draw N lines of P points each, `[N, P, 2]`."""
    cv2.polylines(coverage, list(_fixed(lines)), False, 255, max(1, round(thickness)), cv2.LINE_AA, _SUBPIXEL)


def _blur(coverage: MatLike, sigma: float) -> _Coverage:
    """Out of focus by `sigma` pixels, and at least by as much as takes the steps off an edge."""
    return np.asarray(cv2.GaussianBlur(coverage, (0, 0), max(0.5, sigma)), np.uint8)


def _distance_from(image: Image, centre: NDArray[np.float64]) -> NDArray[np.float32]:
    """Distance of each pixel from `centre` (x, y in fractions), in half diagonals: float32 `[H, W]`."""
    height, width = image.shape[:2]
    half_diagonal = np.hypot(height, width) / 2
    x = ((np.arange(width) - centre[0] * width) / half_diagonal).astype(np.float32)
    y = ((np.arange(height) - centre[1] * height) / half_diagonal).astype(np.float32)
    return np.sqrt(x[None, :] ** 2 + y[:, None] ** 2)


def _colour_between(one: _Colour, other: _Colour, rng: np.random.Generator) -> _Colour:
    """A random shade on the way from one colour to the other."""
    way = rng.random()
    return one[0] + way * (other[0] - one[0]), one[1] + way * (other[1] - one[1]), one[2] + way * (other[2] - one[2])


def _blend(image: Image, coverage: _Coverage, colour: _Colour, opacity: float) -> Image:
    """Lay `colour` over the image where `coverage` says so."""
    places = np.flatnonzero(coverage)  # few, mostly
    blended = image.copy()
    pixels = blended.reshape(-1, 3)
    own = pixels[places]
    share = (coverage.ravel()[places] * np.float32(opacity / 255))[:, None]
    pixels[places] = (own + share * (np.asarray(colour, np.float32) - own) + np.float32(0.5)).astype(np.uint8)
    return blended
