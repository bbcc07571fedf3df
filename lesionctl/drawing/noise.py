"""Smooth random fields: what skin and pigment are mottled with."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[np.float32]
"""A number per pixel: float32 `[H, W]`, or `[H, W, 3]` for one per channel."""


def smooth_noise(rng: np.random.Generator, height: int, width: int, bumps: float) -> Field:
    """A smooth random field of mean 0 and deviation about 1.

    The number of draws depends on `bumps` and the aspect ratio alone: the same noise can be had at every size.

    Args:
        rng: Source of the noise.
        height: Rows.
        width: Columns.
        bumps: Hills and valleys along the shorter side.

    Returns:
        float32 `[height, width]`.
    """
    per_pixel = bumps / min(height, width)
    grid = rng.standard_normal((round(height * per_pixel) + 2, round(width * per_pixel) + 2), dtype=np.float32)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def rough_noise(rng: np.random.Generator, height: int, width: int, bumps: float, octaves: int) -> Field:
    """Smooth noise with ever finer and fainter noise upon it, as in clouds: each octave twice as fine, 0.6 as strong.

    Args:
        rng: Source of the noise.
        height: Rows.
        width: Columns.
        bumps: Hills and valleys of the coarsest octave along the shorter side.
        octaves: How many layers.

    Returns:
        float32 `[height, width]`, mean 0, deviation about 1.
    """
    strengths = 0.6 ** np.arange(octaves, dtype=np.float32)
    strengths /= np.linalg.norm(strengths)
    field = np.zeros((height, width), np.float32)
    for octave, strength in enumerate(strengths):
        field += strength * smooth_noise(rng, height, width, bumps * 2**octave)
    return field


def smooth_step(field: Field) -> Field:
    """0 below 0, 1 above 1, and a smooth rise between (the cubic Hermite step).

    Args:
        field: float32 of any shape.

    Returns:
        float32 of the same shape in [0, 1].
    """
    t = np.clip(field, 0, 1)
    return t * t * (3 - 2 * t)
