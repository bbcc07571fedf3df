"""How a picture looks: its colours, those of skin and lesion, and the skin's tone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionctl.imaging.arrays import Image, Mask

_SIDE = 64  # pixels: colours are means and medians, which need no more
_DARKEST_SKIN, _BRIGHTEST_SKIN = 15.0, 97.0  # L*: vignettes, hair and ink lie below, reflections above
_MARGIN = 5  # pixels of the small picture around the lesion that are not taken as skin
_NEIGHBOURHOOD = np.ones((2 * _MARGIN + 1, 2 * _MARGIN + 1), np.uint8)
_FEWEST = 32  # pixels of skin or lesion that are enough for a colour


@dataclass(frozen=True)
class Appearance:
    """Colours of one picture.

    Attributes:
        mean: Mean of red, green and blue, in [0, 1].
        std: Standard deviation of red, green and blue, in [0, 1].
        skin: Median CIELAB colour (L* in [0, 100], a*, b*) of the skin outside the lesion; None where there is none.
        lesion: Median CIELAB colour of the lesion; None where there is none.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    skin: tuple[float, float, float] | None
    lesion: tuple[float, float, float] | None

    @property
    def ita(self) -> float | None:
        """Individual typology angle of the skin in degrees; None where there is no skin."""
        return None if self.skin is None else individual_typology_angle(self.skin[0], self.skin[2])


def individual_typology_angle(lightness: float, yellowness: float) -> float:
    """ITA = arctan((L* − 50) / b*) in degrees: high on light skin, low on dark (Chardon et al. 1991).

    Of a photograph whose colours are not calibrated it is an estimate.

    Args:
        lightness: L* in [0, 100].
        yellowness: b*.

    Returns:
        In [−180, 180].
    """
    return float(np.degrees(np.arctan2(lightness - 50, yellowness)))


_TONES = ((55, "very light"), (41, "light"), (28, "intermediate"), (10, "tan"), (-30, "brown"))

SKIN_TONES = (*(name for _, name in _TONES), "dark")
"""The classes of `skin_tone`, the lightest first."""


def skin_tone(ita: float) -> str:
    """The class of a typology angle in degrees: very light, light, intermediate, tan, brown or dark (Del Bino 2013)."""
    return next((name for above, name in _TONES if ita > above), SKIN_TONES[-1])


def describe_colours(image: Image, mask: Mask) -> Appearance:
    """Measure the colours of a picture.

    Args:
        image: uint8 `[size, size, 3]`; a black margin is taken for no skin.
        mask: bool `[size, size]`.
    """
    mean, std = (tuple(round(float(v) / 255, 5) for v in values.ravel()) for values in cv2.meanStdDev(image))
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    covered = cv2.resize(mask.view(np.uint8) * np.uint8(255), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)
    near_lesion = cv2.dilate(covered, _NEIGHBOURHOOD) > 0
    lightness = lab[..., 0]
    skin = ~near_lesion & (lightness > _DARKEST_SKIN) & (lightness < _BRIGHTEST_SKIN)
    return Appearance(mean, std, _median(lab[skin]), _median(lab[covered > 127]))  # type: ignore[arg-type]


def _median(colours: NDArray[np.float32]) -> tuple[float, float, float] | None:
    if len(colours) < _FEWEST:
        return None
    lightness, a, b = np.median(colours, axis=0)
    return round(float(lightness), 2), round(float(a), 2), round(float(b), 2)
