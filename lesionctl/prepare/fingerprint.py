"""The fingerprint of a set: sizes, shapes, colours and skin tones, for whoever plans a network for it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionctl.dataset.samples import Sample
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


def skin_tone(ita: float) -> str:
    """The class of a typology angle in degrees: very light, light, intermediate, tan, brown or dark (Del Bino 2013)."""
    return next((name for above, name in _TONES if ita > above), "dark")


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


_COLUMNS = (
    "id", "source", "split", "height", "width", "aspect_ratio", "lesion_fraction",
    "mean_red", "mean_green", "mean_blue", "std_red", "std_green", "std_blue",
    "skin_l", "skin_a", "skin_b", "lesion_l", "lesion_a", "lesion_b", "ita", "skin_tone",
)  # fmt: skip


def format_fingerprints(samples: Sequence[Sample], appearances: Sequence[Appearance]) -> str:
    """The text of a `fingerprint.csv`: a header, and a row for each sample."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for sample, look in zip(samples, appearances, strict=True):
        ita = look.ita
        writer.writerow(
            [
                sample.id,
                sample.source,
                sample.split,
                sample.height,
                sample.width,
                round(sample.width / sample.height, 4),
                sample.lesion_fraction,
                *look.mean,
                *look.std,
                *(look.skin or ("", "", "")),
                *(look.lesion or ("", "", "")),
                "" if ita is None else round(ita, 2),
                "" if ita is None else skin_tone(ita),
            ]
        )
    return text.getvalue()


def summarise(samples: Sequence[Sample], appearances: Sequence[Appearance]) -> dict[str, Any]:
    """What a planner needs of a set, in JSON's forms.

    Args:
        samples: At least one.
        appearances: Of each sample.

    Returns:
        The number of pictures; the 5th, 25th, 50th, 75th and 95th percentile of height, width, aspect ratio (width over
        height), lesion fraction and typology angle; mean and standard deviation per channel over all pictures, each
        counted alike; and the number of pictures of each skin tone.
    """
    angles = [ita for look in appearances if (ita := look.ita) is not None]
    means = np.array([look.mean for look in appearances])
    squares = np.array([look.std for look in appearances]) ** 2 + means**2
    variances = np.maximum(squares.mean(axis=0) - means.mean(axis=0) ** 2, 0)  # rounding can make a 0 negative
    return {
        "pictures": len(samples),
        "height": _percentiles([sample.height for sample in samples]),
        "width": _percentiles([sample.width for sample in samples]),
        "aspect_ratio": _percentiles([sample.width / sample.height for sample in samples]),
        "lesion_fraction": _percentiles([sample.lesion_fraction for sample in samples]),
        "ita_degrees": _percentiles(angles),
        "channel_mean": [round(float(value), 5) for value in means.mean(axis=0)],
        "channel_std": [round(float(value), 5) for value in np.sqrt(variances)],
        "skin_tones": dict(Counter(skin_tone(angle) for angle in angles).most_common()),
    }


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    levels = (5, 25, 50, 75, 95)
    return {
        f"p{level}": round(float(value), 5) for level, value in zip(levels, np.percentile(values, levels), strict=True)
    }


def to_json(look: Appearance) -> dict[str, Any]:
    """In JSON's forms."""
    return asdict(look)


def from_json(values: dict[str, Any]) -> Appearance:
    """What `to_json` wrote."""
    return Appearance(**{name: value and tuple(value) for name, value in values.items()})
