"""What the tests of augmentation share: a picture of a lesion and its mask."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def picture():
    """A dark disc on noisy skin, with its mask; not to be changed."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :96]
    mask = np.hypot(y - 50, x - 40) < 22
    image = rng.integers(190, 230, (96, 96, 3), np.uint8)
    image[mask] //= 3
    return image, mask
