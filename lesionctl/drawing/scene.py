"""What the pictures of the demo set hold: planned, so that every 24 in a row show all that dermoscopy meets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

Border: TypeAlias = Literal["sharp", "fuzzy"]

SKIN_TONES: dict[str, tuple[float, float]] = {
    "very light": (55, 65),
    "light": (41, 55),
    "intermediate": (28, 41),
    "tan": (10, 28),
    "brown": (-30, 10),
    "dark": (-45, -30),
}
"""Individual typology angle (ITA) in degrees, from and to, by the classes of Chardon et al. (1991)."""

COLOURS = {"light brown": 0.34, "dark brown": 0.34, "black": 0.12, "red": 0.12, "blue-grey": 0.08}
"""How often a lesion has which colour; the colours are those of the ABCD rule of dermoscopy but for white."""


@dataclass(frozen=True)
class Lesion:
    """A lesion and the skin it sits on; it may be photographed more than once.

    Args:
        number: Of the lesion, which is that of its first picture.
        tone: A key of `SKIN_TONES`.
        ita: Individual typology angle of the skin in degrees; high is light.
        undertone: Of the skin: a* (red) and b* (yellow) in CIELAB.
        colours: One to three of `COLOURS`; the first makes up the most of the lesion.
        border: How the pigment ends.
    """

    number: int
    tone: str
    ita: float
    undertone: tuple[float, float]
    colours: tuple[str, ...]
    border: Border


@dataclass(frozen=True)
class Scene:
    """One picture of a lesion: all that painting it takes, next to the seed.

    Args:
        number: Of the picture.
        lesion: What is photographed.
        width: Of the upright picture in pixels.
        height: Of the upright picture in pixels.
        extent: Area of the lesion over that of the picture; above 1 it reaches beyond the frame.
        centre: Of the lesion, (x, y) in fractions of width and height.
        angle: By which the lesion is turned, in radians.
        light: Gain of red, green and blue.
        artefacts: Keys of `lesionctl.imaging.artefacts.ARTEFACTS`.
        orientation: EXIF orientation that the file is stored in: 1, 3, 6 or 8, as a camera is held.
    """

    number: int
    lesion: Lesion
    width: int
    height: int
    extent: float
    centre: tuple[float, float]
    angle: float
    light: tuple[float, float, float]
    artefacts: tuple[str, ...]
    orientation: int


class _Kind(NamedTuple):
    """Skin tone, number of colours and border of a new lesion."""

    tone: str
    colours: int
    border: Border


class _Shot(NamedTuple):
    """What is decided of a picture beforehand; `lesion` None is the lesion of the shot before, once more."""

    width: int
    height: int
    lesion: _Kind | None
    extent: float
    artefacts: tuple[str, ...] = ()
    orientation: int = 1


# The first eight already show a bit of everything. Later pictures go through the plan again, with other chances.
_PLAN = (
    _Shot(1024, 768, _Kind("light", 2, "sharp"), 0.18, ("hair",)),
    _Shot(767, 576, _Kind("tan", 1, "fuzzy"), 0.10, ("vignette",)),
    _Shot(600, 450, _Kind("very light", 3, "sharp"), 0.30, ("gel_bubble", "ruler")),
    _Shot(1022, 767, _Kind("brown", 1, "sharp"), 0.005, ("dark_corner",)),
    _Shot(640, 480, _Kind("intermediate", 2, "fuzzy"), 0.08, ("ink", "ruler"), orientation=6),
    _Shot(800, 600, None, 0.22, ("hair", "vignette")),
    _Shot(2000, 1500, _Kind("dark", 2, "sharp"), 0.20),
    _Shot(1024, 768, _Kind("light", 3, "fuzzy"), 1.05, ("gel_bubble",), orientation=3),
    _Shot(600, 450, _Kind("very light", 1, "fuzzy"), 0.06, ("dark_corner", "hair")),
    _Shot(1024, 1024, _Kind("dark", 1, "fuzzy"), 0.15, ("ruler",)),
    _Shot(1024, 768, None, 0.35, ("hair",), orientation=8),
    _Shot(767, 576, _Kind("intermediate", 3, "sharp"), 0.12, ("dark_corner",)),
    _Shot(640, 480, _Kind("tan", 2, "sharp"), 0.005, ("ink",)),
    _Shot(768, 1024, _Kind("light", 1, "sharp"), 0.25, ("vignette", "gel_bubble")),
    _Shot(1022, 767, _Kind("brown", 3, "fuzzy"), 0.14, ("hair", "ruler")),
    _Shot(1022, 767, None, 0.40),
    _Shot(600, 450, _Kind("very light", 2, "sharp"), 0.04, ("hair", "gel_bubble", "vignette")),
    _Shot(1504, 1129, _Kind("tan", 3, "sharp"), 0.28, ("dark_corner", "hair")),
    _Shot(640, 480, _Kind("brown", 1, "sharp"), 1.05),
    _Shot(1024, 768, _Kind("intermediate", 1, "fuzzy"), 0.09, ("ink",)),
    _Shot(767, 576, None, 0.05, ("dark_corner", "ruler")),
    _Shot(576, 767, _Kind("light", 2, "fuzzy"), 0.20, ("hair",), orientation=6),
    _Shot(800, 600, _Kind("dark", 3, "sharp"), 0.10, ("ink", "gel_bubble")),
    _Shot(1024, 768, _Kind("very light", 3, "fuzzy"), 0.45, ("vignette",)),
)


class Stream(IntEnum):
    """What chances are for; a lesion's must be the same in each of its pictures, so lesions and pictures share none."""

    LESION = 0
    PATTERN = 1
    VIEW = 2
    PAINT = 3


def generator(seed: int, number: int, stream: Stream) -> np.random.Generator:
    """The chances of one picture or lesion; they depend on nothing but these three.

    Args:
        seed: Of the whole set; at least 0.
        number: Of the picture (`VIEW`, `PAINT`) or of the lesion (`LESION`, `PATTERN`).
        stream: What they are for.
    """
    return np.random.default_rng([seed, number, stream])


def plan_scene(seed: int, number: int) -> Scene:
    """Say what picture `number` of a demo set holds.

    Args:
        seed: Of the whole set; at least 0.
        number: Of the picture, counted from 0.
    """
    shot = _PLAN[number % len(_PLAN)]
    rng = generator(seed, number, Stream.VIEW)
    # A lesion with much room around it may sit anywhere near the middle; one that fills the frame stays there.
    wander = 0.08 if shot.extent < 0.3 else 0.02
    return Scene(
        number=number,
        lesion=_plan_lesion(seed, number, shot.lesion) if shot.lesion else plan_scene(seed, number - 1).lesion,
        width=shot.width,
        height=shot.height,
        extent=shot.extent,
        centre=(0.5 + wander * rng.uniform(-1, 1), 0.5 + wander * rng.uniform(-1, 1)),
        angle=rng.uniform(0, 2 * np.pi),
        light=_light(rng),
        artefacts=shot.artefacts,
        orientation=shot.orientation,
    )


def _light(rng: np.random.Generator) -> tuple[float, float, float]:
    """From dim to over-exposed, and from the warm tint of some dermatoscopes to the pink and the cold one of others."""
    exposure, warmth, pinkness = rng.uniform(1.0, 1.2), rng.uniform(-0.1, 0.08), rng.uniform(0, 0.08)
    return exposure * (1 + warmth / 2), exposure * (1 - pinkness), exposure * (1 - warmth)


def _plan_lesion(seed: int, number: int, kind: _Kind) -> Lesion:
    rng = generator(seed, number, Stream.LESION)
    return Lesion(
        number=number,
        tone=kind.tone,
        ita=rng.uniform(*SKIN_TONES[kind.tone]),
        undertone=(rng.uniform(9, 17), rng.uniform(12, 18)),
        colours=tuple(rng.choice(list(COLOURS), kind.colours, replace=False, p=list(COLOURS.values())).tolist()),
        border=kind.border,
    )
