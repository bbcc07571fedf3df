"""The steps that a recipe can be made of, and what each can be told: names, defaults and bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

Value: TypeAlias = float | str | tuple[float, float]
"""What a parameter can be: a number, a word, or the two ends of a span that is drawn from evenly."""


@dataclass(frozen=True)
class Number:
    """A parameter that is one number.

    Attributes:
        default: When nothing else is said.
        least: The smallest value that makes sense.
        most: The largest.
        whole: Whether it is a whole number.
    """

    default: float
    least: float
    most: float
    whole: bool = False

    def check(self, value: Any) -> float:
        """The value as a number.

        Raises:
            ValueError: It is something else, or out of bounds; the message ends a sentence about the parameter.
        """
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"is a number, such as {self.default:g}, not {_quoted(value)}")
        if not self.least <= value <= self.most:  # a NaN is not either
            raise ValueError(f"lies within {self.least:g} and {self.most:g}, not at {value:g}")
        if self.whole and value != round(value):
            raise ValueError(f"is a whole number, such as {self.default:g}, not {value:g}")
        return float(value)


@dataclass(frozen=True)
class Span:
    """A parameter drawn from a span, anew for each view.

    Attributes:
        default: Its ends when nothing else is said.
        least: The smallest end that makes sense.
        most: The largest.
        whole: Whether the ends are whole numbers.
    """

    default: tuple[float, float]
    least: float
    most: float
    whole: bool = False

    def check(self, value: Any) -> tuple[float, float]:
        """The two ends as numbers.

        Raises:
            ValueError: See `Number.check`.
        """
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise ValueError(f"has two ends, such as {_pair(self.default)}, not {_quoted(value)}")
        low, high = (
            Number(end, self.least, self.most).check(given) for given, end in zip(value, self.default, strict=True)
        )
        if low > high:
            raise ValueError(f"begins at its smaller end, not with {_pair((low, high))}")
        if self.whole and not (low.is_integer() and high.is_integer()):
            raise ValueError(f"has whole ends, such as {_pair(self.default)}, not {_pair((low, high))}")
        return low, high


@dataclass(frozen=True)
class Word:
    """A parameter that is one of a few words.

    Attributes:
        default: When nothing else is said.
        words: All of them.
    """

    default: str
    words: tuple[str, ...]

    def check(self, value: Any) -> str:
        """The word.

        Raises:
            ValueError: See `Number.check`.
        """
        if value not in self.words:
            raise ValueError(f"is one of {', '.join(self.words)}, not {_quoted(value)}")
        return str(value)


Parameter: TypeAlias = Number | Span | Word

SHARE = Number(1.0, 0.0, 1.0)
"""A step's `p`: the share of the views that get it."""

ONE_OF = "one_of"
"""The step that draws one of its choices."""

_INTERPOLATION = Word("area", ("area", "linear"))
# OpenCV's plain nearest neighbour is the one up and left: it moves a mask by almost half a pixel.
_MASK_INTERPOLATION = Word("nearest_exact", ("nearest_exact", "nearest"))

STEPS: dict[str, dict[str, Parameter]] = {
    # Geometry: picture and mask alike.
    "random_resized_crop": {
        "scale": Span((0.6, 1.0), 0.01, 1),  # share of the picture's area
        "ratio": Span((0.8, 1.25), 0.1, 10),  # width by height
        "interpolation": _INTERPOLATION,
        "mask_interpolation": _MASK_INTERPOLATION,
    },
    "resize": {"interpolation": _INTERPOLATION, "mask_interpolation": _MASK_INTERPOLATION},
    "dihedral": {},  # the eight ways to lay a square on itself
    "affine": {
        "scale": Span((0.8, 1.1), 0.1, 10),  # drawn for each axis by itself
        "rotate": Span((-45, 45), -360, 360),  # degrees
        "shear": Span((-8, 8), -60, 60),  # degrees, for each axis
        "translate": Span((-0.08, 0.08), -1, 1),  # share of the side, for each axis
        "border": Word("reflect", ("reflect", "black")),  # what lies beyond the picture; black is no lesion
    },
    "elastic": {
        "strength": Span((0.005, 0.02), 0, 0.2),  # spread of the displacements, share of the side
        "grid": Number(4, 2, 32, whole=True),  # points along each side that are displaced on their own
        "border": Word("reflect", ("reflect", "black")),
    },
    # Colour and camera: the picture alone. Factors leave it as it is at 1.
    "illuminant": {"gain": Span((0.85, 1.15), 0, 4)},  # drawn for each channel by itself
    "colour_jitter": {  # the four in random order
        "brightness": Span((0.7, 1.3), 0, 10),
        "contrast": Span((0.7, 1.3), 0, 10),
        "saturation": Span((0.6, 1.4), 0, 10),
        "hue": Span((-0.05, 0.05), -0.5, 0.5),  # share of the colour circle
    },
    "brightness": {"factor": Span((0.7, 1.3), 0, 10)},
    "contrast": {"factor": Span((0.7, 1.3), 0, 10)},
    "saturation": {"factor": Span((0.6, 1.4), 0, 10)},
    "hue": {"shift": Span((-0.05, 0.05), -0.5, 0.5)},  # share of the colour circle
    "gamma": {"exponent": Span((0.7, 1.4), 0.1, 10)},
    "rgb_shift": {"shift": Span((-20, 20), -255, 255)},  # of 255, drawn for each channel by itself
    "blur": {"sigma": Span((0.3, 1.5), 0.1, 50)},  # pixels of the view
    "sharpen": {"alpha": Span((0.2, 0.5), 0, 1), "lightness": Span((0.5, 1.0), 0, 10)},
    "jpeg": {"quality": Span((40, 90), 1, 100, whole=True)},
    "noise": {"sigma": Span((0.01, 0.04), 0, 1)},  # of white, drawn for each value by itself
    "colour_constancy": {"norm": Number(6, 1, 30)},  # Minkowski's p; shades of grey
    # Dermoscopy's own, from the skin up to the lens: the picture alone.
    "ink": {},
    "hair": {},
    "gel_bubble": {},
    "ruler": {},
    "vignette": {},
    "dark_corner": {},
}
"""The parameters of every step but `one_of`, by name."""

SIZING = frozenset({"random_resized_crop", "resize"})
"""The steps that bring a picture to the view's size."""


def _pair(ends: tuple[float, float]) -> str:
    return f"[{ends[0]:g}, {ends[1]:g}]"


def _quoted(value: Any) -> str:
    """A value as it stood in the file, near enough, and not too long."""
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    text = repr(value)
    return text if len(text) < 40 else f"{text[:36]} ..."
