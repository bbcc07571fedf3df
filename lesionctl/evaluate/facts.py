"""What is known of a picture beside its scores without being told: what its mask tells, and its skin's tone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionctl.dataset.table import read_table
from lesionctl.errors import BadFile
from lesionctl.imaging.appearance import SKIN_TONES, describe_colours, skin_tone
from lesionctl.imaging.decode import decode
from lesionctl.imaging.frame import Frame
from lesionctl.imaging.resize_rule import ResizeRule

if TYPE_CHECKING:
    from pathlib import Path

    from lesionctl.dataset.store import Store
    from lesionctl.imaging.arrays import Mask

SOURCE, DIAGNOSIS, SKIN_TONE = "source", "diagnosis", "skin tone"
LESION_AREA, TOUCHES_BORDER, PICTURE_SIZE = "lesion area", "touches the border", "picture size"
AUTOMATIC = (SOURCE, DIAGNOSIS, SKIN_TONE, LESION_AREA, TOUCHES_BORDER, PICTURE_SIZE)
"""The columns that are told without being asked for, where they are known."""

_FINGERPRINT = "fingerprint.csv"
_SKIN_SIDE = 256  # pixels: colours are medians over far fewer


def automatic_facts(truth: Mask) -> dict[str, str]:
    """What a true mask tells of its picture, in classes with fixed cuts: tables of different sets can be compared.

    Args:
        truth: bool `[H, W]`, at the picture's own size.

    Returns:
        By column:

        - "lesion area", the share of the picture's pixels that are lesion: "no lesion", "under 5 % of the picture",
          "5 to 20 %" (both ends included) or "over 20 %".
        - "touches the border", whether a lesion pixel lies in the picture's first or last row or column: "yes" or "no".
        - "picture size", in millions of pixels: "under 0.5 megapixels", "0.5 to 2 megapixels" (2 not included),
          "2 to 8 megapixels" (both ends included) or "over 8 megapixels".
    """
    touches = any(edge.any() for edge in (truth[0], truth[-1], truth[:, 0], truth[:, -1]))
    return {
        LESION_AREA: _area_class(int(np.count_nonzero(truth)), truth.size),
        TOUCHES_BORDER: "yes" if touches else "no",
        PICTURE_SIZE: _size_class(truth.size),
    }


def _area_class(lesion: int, pixels: int) -> str:
    if lesion == 0:
        return "no lesion"
    if lesion * 20 < pixels:
        return "under 5 % of the picture"
    return "5 to 20 %" if lesion * 5 <= pixels else "over 20 %"


def _size_class(pixels: int) -> str:
    if pixels < 500_000:
        return "under 0.5 megapixels"
    if pixels < 2_000_000:
        return "0.5 to 2 megapixels"
    return "2 to 8 megapixels" if pixels <= 8_000_000 else "over 8 megapixels"


def skin_tones_of_store(store: Store) -> dict[tuple[str, str], str]:
    """The skin tones that were estimated when a set was prepared.

    Returns:
        One of `SKIN_TONES` by source and id, for each picture that shows skin; nothing where the set has no
        `fingerprint.csv`.

    Raises:
        BadFile: Its `fingerprint.csv` is broken, or is not of this set.
    """
    path = store.path / _FINGERPRINT
    if not path.exists():
        return {}
    tones = {}
    for line, row in read_table(path):
        try:
            source, name, tone = row["source"], row["id"], row["skin_tone"]
        except KeyError as error:
            raise _broken(path, f"it has no column {error}") from error
        if tone and tone not in SKIN_TONES:
            raise _broken(path, f"line {line}: '{tone}' is no skin tone")
        tones[source, name] = tone
    missing = next((sample for sample in store.samples if (sample.source, sample.id) not in tones), None)
    if missing is not None:
        raise _broken(path, f"it has no row for {missing.id} of {missing.source}")
    return {key: tone for key, tone in tones.items() if tone}


def _broken(path: Path, reason: str) -> BadFile:
    return BadFile(path, f"is no fingerprint of its set: {reason}", hint="prepare the set again")


def skin_tone_of(image: Path, truth: Mask) -> str | None:
    """Estimate the tone of the skin around a lesion, as `prepare` does.

    Args:
        image: The picture file.
        truth: bool `[H, W]`, its true mask.

    Returns:
        One of `SKIN_TONES`; None where the picture shows too little skin.

    Raises:
        BadFile: The picture cannot be read, or is not of its mask's size.
    """
    decoded = decode(image, at_least=_SKIN_SIDE)
    height, width = truth.shape
    if (decoded.height, decoded.width) != (height, width):
        raise BadFile(image, f"{decoded.width}×{decoded.height} pixels, its truth {width}×{height}")
    frame = Frame.fit(height, width, _SKIN_SIDE, ResizeRule.SQUASH)
    angle = describe_colours(frame.shrink(decoded.image), frame.shrink_mask(truth)).ita
    return None if angle is None else skin_tone(angle)
