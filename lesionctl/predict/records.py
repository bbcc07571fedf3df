"""What was found in a picture, as a row of a table."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from lesionctl.imaging.measures import Measures

if TYPE_CHECKING:
    from collections.abc import Mapping

MEANINGS = {
    ("image", "mask"): "the files",
    ("overlay", "probabilities"): "files; null where they were not asked for",
    ("width", "height"): "of the upright picture and of its mask, in pixels",
    ("lesion_pixels", "lesion_percent"): "what of the mask is lesion, in pixels and in per cent of the picture",
    ("regions",): "how many separate regions that is",
    ("left", "top", "right", "bottom"): "its bounding box in pixels, right and bottom exclusive",
    ("centroid_x", "centroid_y"): "its centroid in pixels from the picture's upper left corner",
    ("diameter",): "its largest extent, in pixels",
    ("asymmetry",): "in [0, 1], 0 for what is equal to its mirror image",
    ("border_irregularity",): "at least 1, 1 for a disc",
    ("colour_count", "colours"): "how many of the six colours of dermoscopy it has, and which",
    ("confidence",): "in [0, 1]",
    ("flags",): "why a person should look at it; empty where nothing is wrong",
    ("seconds",): "of work that this picture took",
    ("model", "model_digest", "threshold"): "the model, the SHA-256 of its file in hex, and the probability above "
    "which a pixel is lesion",
}
"""What the keys of `Prediction.to_dict` mean, in their order.

What does not exist is null: from `left` to `colours` where nothing was found, from `lesion_pixels` to there where
nothing was measured.
"""

COLUMNS = tuple(name for names in MEANINGS for name in names)
"""The keys of `Prediction.to_dict`, in order."""


@dataclass(frozen=True)
class Prediction:
    """What was found in a picture.

    Attributes:
        image: The picture file.
        mask: The mask file that was written.
        overlay: The overlay that was written, if it was asked for.
        probabilities: The file of probabilities that was written, if it was asked for.
        width: Width of the upright picture and of its mask, in pixels.
        height: Height of both, in pixels.
        measures: Size, place, shape and colours of the lesion; None where nobody asked for them.
        confidence: In [0, 1]; None where it cannot be told.
        flags: Why a person should look at the mask; empty where nothing is wrong.
        seconds: Of work that this picture took.
        model: Name of the model.
        model_digest: SHA-256 of its file, in hex.
        threshold: Probability above which a pixel is lesion.
    """

    image: Path
    mask: Path
    overlay: Path | None
    probabilities: Path | None
    width: int
    height: int
    measures: Measures | None
    confidence: float | None
    flags: tuple[str, ...]
    seconds: float
    model: str
    model_digest: str
    threshold: float

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms: a flat row whose keys are `COLUMNS`; `MEANINGS` tells their units."""
        found = self.measures or _UNMEASURED
        left, top, right, bottom = found.bounding_box or (None,) * 4
        x, y = found.centroid or (None,) * 2
        return {
            "image": str(self.image),
            "mask": str(self.mask),
            "overlay": None if self.overlay is None else str(self.overlay),
            "probabilities": None if self.probabilities is None else str(self.probabilities),
            "width": self.width,
            "height": self.height,
            "lesion_pixels": found.lesion_pixels,
            "lesion_percent": _rounded(found.lesion_percent, 4),
            "regions": found.regions,
            "left": left,
            "top": top,
            "right": right,
            "bottom": bottom,
            "centroid_x": _rounded(x, 1),
            "centroid_y": _rounded(y, 1),
            "diameter": _rounded(found.diameter, 1),
            "asymmetry": _rounded(found.asymmetry, 4),
            "border_irregularity": _rounded(found.border_irregularity, 4),
            "colour_count": None if found.colours is None else len(found.colours),
            "colours": None if found.colours is None else list(found.colours),
            "confidence": _rounded(self.confidence, 4),
            "flags": [str(flag) for flag in self.flags],
            "seconds": round(self.seconds, 4),
            "model": self.model,
            "model_digest": self.model_digest,
            "threshold": self.threshold,
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Prediction:
        """Read what `to_dict` wrote, up to its rounding.

        Raises:
            KeyError: A column is missing.
        """
        overlay, probabilities = (row[name] and Path(row[name]) for name in ("overlay", "probabilities"))
        return cls(
            image=Path(row["image"]),
            mask=Path(row["mask"]),
            overlay=overlay,
            probabilities=probabilities,
            measures=_measures(row),
            flags=tuple(row["flags"]),
            **{name: row[name] for name in ("width", "height", "confidence", "seconds")},
            **{name: row[name] for name in ("model", "model_digest", "threshold")},
        )


# Such a row has no figures, not even zeros: nobody looked.
_UNMEASURED: Any = SimpleNamespace(**dict.fromkeys(field.name for field in fields(Measures)))


def _measures(row: Mapping[str, Any]) -> Measures | None:
    if row["lesion_pixels"] is None:
        return None
    box = tuple(row[name] for name in ("left", "top", "right", "bottom"))
    centroid = (row["centroid_x"], row["centroid_y"])
    return Measures(
        bounding_box=None if box[0] is None else box,
        centroid=None if centroid[0] is None else centroid,
        colours=None if row["colours"] is None else tuple(row["colours"]),
        **{name: row[name] for name in ("lesion_pixels", "lesion_percent", "regions", "diameter")},
        **{name: row[name] for name in ("asymmetry", "border_irregularity")},
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
