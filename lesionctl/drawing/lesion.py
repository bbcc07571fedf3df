"""A lesion: where its pigment ends, which colours it has, and the network and globules inside."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionctl.drawing.noise import Field, rough_noise, smooth_noise, smooth_step
from lesionctl.drawing.scene import Lesion

REACH = 1.8
"""A lesion is drawn on a square from -REACH to REACH of its mean radius; beyond, there is no pigment."""

BORDER_OPACITY = 0.3
"""The lesion's outline: where the pigment has this share of its full strength, about where a dermatologist draws it."""

_DENSITIES = {
    "light brown": np.array([0.24, 0.48, 0.68], np.float32),
    "dark brown": np.array([0.62, 1.10, 1.40], np.float32),
    "black": np.array([1.45, 1.75, 1.80], np.float32),
    "red": np.array([0.20, 0.54, 0.46], np.float32),
    "blue-grey": np.array([0.88, 0.80, 0.66], np.float32),
}
"""Optical density of each colour in red, green and blue."""

_SOFTNESS = {"sharp": 0.14, "fuzzy": 0.42}
"""Width of the border, in radii, over which the pigment sets in."""


def draw_lesion(lesion: Lesion, side: int, rng: np.random.Generator) -> tuple[Field, Field]:
    """Draw a lesion by itself; the same generator gives the same lesion at every size.

    Args:
        lesion: What to draw.
        side: Of the square to draw on, from -REACH to REACH, in pixels.
        rng: Source of every random choice.

    Returns:
        Optical density over the skin, float32 `[side, side, 3]`, and opacity, float32 `[side, side]` in [0, 1]: the
        share of the pigment's full strength. The density is 0 where the opacity is.
    """
    level = _level(side, rng)
    opacity = smooth_step(level / _SOFTNESS[lesion.border] + 0.5)
    pigment = _pigment(lesion, opacity > BORDER_OPACITY, side, rng)
    structure = _structure(side, rng) * (0.7 + 0.9 * np.clip(level, 0, 0.5))
    return np.asarray(pigment * (opacity * structure)[..., None], np.float32), opacity


def _grid(side: int) -> tuple[Field, Field]:
    """Horizontal `[1, side]` and vertical `[side, 1]` distance from the lesion's middle in radii."""
    line = np.linspace(-REACH, REACH, side, dtype=np.float32)
    return line[None, :], line[:, None]


def _level(side: int, rng: np.random.Generator) -> Field:
    """How far inside the lesion a pixel lies, roughly in radii: 0 on the border, negative outside."""
    x, y = _grid(side)
    stretch = np.sqrt(rng.uniform(1.0, 1.3), dtype=np.float32)
    ellipse = (1 - (x / stretch) ** 2 - (y * stretch) ** 2) / 2
    lobes = rng.uniform(0.04, 0.12) * smooth_noise(rng, side, side, 6)
    fringe = rng.uniform(0.02, 0.05) * rough_noise(rng, side, side, 20, 3)
    return ellipse + lobes + fringe


def _pigment(lesion: Lesion, inside: NDArray[np.bool_], side: int, rng: np.random.Generator) -> Field:
    """The colours, before any structure: the first everywhere, each other one on a patch of its own."""
    first, *others = (_DENSITIES[colour] for colour in lesion.colours)
    density = np.broadcast_to(first, (side, side, 3))
    for other in others:
        field = rough_noise(rng, side, side, 5, 6)
        threshold = np.quantile(field[inside], rng.uniform(0.6, 0.75)).astype(np.float32)
        patch = smooth_step((field - threshold) / rng.uniform(1.0, 2.5) + 0.5)
        density = density + patch[..., None] * (other - density)
    return density


def _structure(side: int, rng: np.random.Generator) -> Field:
    """The pattern that the pigment is laid out in, float32 `[side, side]` around 1."""
    structure = 1 + rng.uniform(0.12, 0.25) * rough_noise(rng, side, side, 9, 6)
    structure += rng.uniform(0.15, 0.5) * _network(side, rng)
    if rng.random() < 0.6:
        structure += rng.uniform(0.3, 0.7) * _globules(side, rng)
    return np.clip(structure, 0.3, 2.2)


def _network(side: int, rng: np.random.Generator) -> Field:
    """A pigment network, float32 `[side, side]` around 0: a mesh of dark lines, stronger in places.

    The zero lines of smooth noise wind about without end; those of several fields cross each other and make a mesh.
    """
    bumps = rng.uniform(60, 100)
    threads = [np.abs(smooth_noise(rng, side, side, bumps)) for _ in range(4)]
    mesh = np.exp(-4 * np.minimum.reduce(threads))
    places = smooth_step(0.5 + 0.6 * smooth_noise(rng, side, side, 8))
    return (mesh - 0.6) * places


def _globules(side: int, rng: np.random.Generator) -> Field:
    """Round clumps of pigment: float32 `[side, side]` in [0, 1]."""
    per_radius = side / (2 * REACH)
    drawn = np.zeros((side, side), np.uint8)
    for _ in range(rng.integers(20, 160)):
        distance, angle = np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        x, y = (REACH + distance * np.cos(angle)) * per_radius, (REACH + distance * np.sin(angle)) * per_radius
        radius = rng.uniform(0.015, 0.045) * per_radius
        cv2.circle(drawn, (round(x * 16), round(y * 16)), round(radius * 16), 255, cv2.FILLED, cv2.LINE_AA, shift=4)
    return np.asarray(cv2.GaussianBlur(drawn, (0, 0), 0.012 * per_radius) / np.float32(255), np.float32)
