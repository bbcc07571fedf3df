"""The fingerprint of a set: sizes, shapes, colours and skin tones, for whoever plans a network for it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionctl.imaging.appearance import Appearance, skin_tone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.dataset.samples import Sample

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
