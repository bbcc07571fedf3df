"""Many pictures on one sheet, with a few words on each, for people to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.imaging.arrays import Image

GROUND = (255, 255, 255)
INK = (40, 40, 40)

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LETTER = 21  # pixels of a capital letter at scale 1


def tile(rows: Sequence[Sequence[Image]], margin: int) -> Image:
    """Lay pictures out in rows, on white; every cell is as large as the largest picture.

    Args:
        rows: Pictures, uint8 `[h, w, 3]`; a row may be shorter than the longest, its end stays white. At least one.
        margin: Pixels around each picture.

    Returns:
        uint8 `[H, W, 3]`.
    """
    height = max(image.shape[0] for row in rows for image in row)
    width = max(image.shape[1] for row in rows for image in row)
    columns = max(len(row) for row in rows)
    shape = (margin + len(rows) * (height + margin), margin + columns * (width + margin), 3)
    sheet = np.full(shape, GROUND, np.uint8)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            top, left = margin + i * (height + margin), margin + j * (width + margin)
            sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    return sheet


def add_caption(image: Image, text: str) -> Image:
    """Write a line below a picture, so that nothing of it is hidden.

    Args:
        image: uint8 `[H, W, 3]`.
        text: ASCII; a long line is made smaller until it fits. The strip is as high as a short line needs.

    Returns:
        uint8 `[H + strip, W, 3]`; the strip is as high for every picture of the same width.
    """
    width = image.shape[1]
    letter = max(8, round(width / 32))
    strip = np.full((2 * letter, width, 3), GROUND, np.uint8)
    write(strip, text, (0, round(1.5 * letter)), letter)
    return np.concatenate([image, strip])


def write(canvas: Image, text: str, at: tuple[int, int], letter: int) -> int:
    """Write a line on a picture.

    Args:
        canvas: uint8 `[H, W, 3]`; it is written on.
        text: ASCII; a line that would not end within the picture is made smaller until it does.
        at: Left end of the line the letters stand on, in pixels from the left and from the top.
        letter: Height of a capital letter, in pixels.

    Returns:
        Where the line ends, in pixels from the left.
    """
    scale, weight = letter / _LETTER, max(1, round(letter / 10))
    room = canvas.shape[1] - at[0] - 2 * weight  # lines are thick
    while (length := cv2.getTextSize(text, _FONT, scale, weight)[0][0]) > room:
        scale *= 0.95  # step by step: small letters are rounded to whole pixels
    cv2.putText(canvas, text, at, _FONT, scale, INK, weight, cv2.LINE_AA)
    return at[0] + length


def encode_sheet(sheet: Image) -> bytes:
    """The bytes of a PNG.

    Args:
        sheet: uint8 `[H, W, 3]`.
    """
    done, encoded = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    if not done:
        raise RuntimeError("the PNG encoder refused a sheet")
    return encoded.tobytes()
