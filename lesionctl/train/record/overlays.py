"""`overlays/`: what the net sees of a few validation pictures as it learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

from lesionctl.atomic import write_bytes
from lesionctl.imaging.overlay import draw_outline
from lesionctl.imaging.sheet import GROUND, add_caption, encode_sheet, tile, write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lesionctl.imaging.arrays import Image, Mask

Judged: TypeAlias = "tuple[Image, Mask, Mask, float]"
"""A picture uint8 `[S, S, 3]`, its true and its predicted mask, bool `[S, S]`, and the Dice of the two in [0, 1]."""

MOST = 8
"""Pictures on a sheet."""

_COLUMNS = 4
_SIDE = 384  # pixels of a picture: four and their margins stay below 1600
_MARGIN = 12
_LETTER = 14
_TRUTH, _PREDICTION = (86, 180, 233), (240, 228, 66)  # sky blue and yellow: colour-blind readers tell them apart


def write_overlays(path: Path, title: str, pictures: Sequence[Judged]) -> None:
    """Paint pictures with the true and the predicted outline on a sheet of at most 1600 pixels' width.

    Args:
        path: The PNG; its directory is made.
        title: What stands above all.
        pictures: At least one; the first `MOST` are painted.
    """
    cells = [_paint(*picture) for picture in pictures[:MOST]]
    sheet = tile([cells[start : start + _COLUMNS] for start in range(0, len(cells), _COLUMNS)], _MARGIN)
    path.parent.mkdir(exist_ok=True)
    write_bytes(path, encode_sheet(np.concatenate([_head(sheet.shape[1], title), sheet])))


def _paint(image: Image, truth: Mask, prediction: Mask, dice: float) -> Image:
    shrinks = image.shape[0] > _SIDE
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    canvas: Image = cv2.resize(image, (_SIDE, _SIDE), interpolation=how).astype(np.uint8, copy=False)
    for mask, colour in ((truth, _TRUTH), (prediction, _PREDICTION)):
        smooth = cv2.resize(mask.astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR) > 0.5
        canvas = draw_outline(canvas, smooth, colour)
    return add_caption(canvas, f"Dice {dice:.3f}")


def _head(width: int, title: str) -> Image:
    """A strip `[h, width, 3]` with the title and what the colours mean."""
    strip = np.full((3 * _LETTER, width, 3), GROUND, np.uint8)
    line = strip.shape[0] - _LETTER // 2
    end = write(strip, title, (_MARGIN, line), _LETTER)
    for colour, name in ((_TRUTH, "truth"), (_PREDICTION, "prediction")):
        left, top = end + 2 * _LETTER, line - _LETTER
        cv2.rectangle(strip, (left, top), (left + 2 * _LETTER, line), (0, 0, 0), -1)
        cv2.rectangle(strip, (left + 2, top + 2), (left + 2 * _LETTER - 2, line - 2), colour, -1)
        end = write(strip, name, (left + 3 * _LETTER, line), _LETTER)
    return strip
