"""The array types that flow through the program."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""RGB, upright (EXIF applied): uint8 `[H, W, 3]`."""

Mask = NDArray[np.bool_]
"""True on the lesion: bool `[H, W]`, of the same H and W as its image."""

Probability = NDArray[np.float32]
"""Probability of lesion per pixel: float32 `[H, W]` in [0, 1]."""
