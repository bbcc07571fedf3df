"""Skin without a lesion: its tone, and what its fine texture takes from the light.

Colour comes about as in skin itself, by absorption: a field of optical densities lies over the skin's own colour, and
what is seen is `colour * exp(-density)`, channel by channel. Pigment over dark skin is then darker still.
"""

from __future__ import annotations

import cv2
import numpy as np

from lesionctl.drawing.noise import Field, rough_noise, smooth_noise

MELANIN = np.array([0.55, 1.05, 1.5], np.float32)
"""Optical density of brown pigment in red, green and blue."""

HAEMOGLOBIN = np.array([0.2, 1.0, 0.75], np.float32)
"""Optical density of blood in red, green and blue."""


def skin_colour(ita: float, undertone: tuple[float, float]) -> Field:
    """The colour of a patch of skin, from ITA = atan((L* - 50) / b*) in CIELAB.

    Args:
        ita: Individual typology angle in degrees.
        undertone: a* and b*.

    Returns:
        RGB in [0, 1], float32 `[3]`.
    """
    a, b = undertone
    lightness = 50 + b * np.tan(np.radians(ita))
    lab = np.array([[[lightness, a, b]]], np.float32)
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB), np.float32)[0, 0]


def skin_density(height: int, width: int, rng: np.random.Generator) -> Field:
    """What the texture of a patch of skin takes from the light: blotches, freckles, skin lines, pores and vessels.

    Args:
        height: In pixels.
        width: In pixels.
        rng: Source of every random choice.

    Returns:
        Optical density, float32 `[height, width, 3]`, around 0.
    """
    freckles = np.maximum(smooth_noise(rng, height, width, 13) - 1.3, 0) * rng.uniform(0, 0.2)
    pores = np.maximum(smooth_noise(rng, height, width, 75) - 1.5, 0) * rng.uniform(0, 0.12)
    lines = _skin_lines(height, width, rng) * rng.uniform(0.006, 0.016)
    melanin = 0.025 * rough_noise(rng, height, width, 6, 5) + freckles + pores + lines
    redness = rough_noise(rng, height, width, 3, 4) * rng.uniform(0.02, 0.06)
    vessels = _vessels(height, width, rng) * rng.uniform(0.05, 0.25)
    return melanin[..., None] * MELANIN + (redness + vessels)[..., None] * HAEMOGLOBIN


def _skin_lines(height: int, width: int, rng: np.random.Generator) -> Field:
    """Two sets of fine furrows that cross each other, float32 `[height, width]`."""
    first = rng.uniform(0, 180)
    return _furrows(height, width, first, rng) + _furrows(height, width, first + rng.uniform(50, 90), rng)


def _furrows(height: int, width: int, degrees: float, rng: np.random.Generator) -> Field:
    side = int(np.hypot(height, width)) + 2
    per_pixel = 1 / min(height, width)
    grid = rng.standard_normal((round(side * 90 * per_pixel), round(side * 14 * per_pixel)), dtype=np.float32)
    # The coarse grid is stretched and turned in one step: onto a square that covers the picture at every angle.
    turn = np.asarray(cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 1.0), float)
    turn[:, 2] += (width - side) / 2, (height - side) / 2
    stretch = np.diag([side / grid.shape[1], side / grid.shape[0], 1.0])
    return np.asarray(cv2.warpAffine(grid, turn @ stretch, (width, height), flags=cv2.INTER_CUBIC), np.float32)


def _vessels(height: int, width: int, rng: np.random.Generator) -> Field:
    """A few thin winding vessels, out of focus under the skin: float32 `[height, width]` in [0, 1]."""
    short = min(height, width)
    drawn = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(0, 12)):
        heading = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.5, 40) + np.cumsum(rng.normal(0, 0.12, 40))
        steps = np.stack([np.cos(heading), np.sin(heading)], axis=1) * rng.uniform(0.004, 0.015) * short
        path = rng.uniform(0, 1, 2) * (width, height) + np.cumsum(steps, axis=0)
        thickness = max(1, round(rng.uniform(0.002, 0.005) * short))
        cv2.polylines(drawn, [np.rint(path).astype(np.int32)], False, 255, thickness, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(drawn, (0, 0), 0.003 * short) / np.float32(255), np.float32)
