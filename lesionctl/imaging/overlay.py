"""A picture with the lesion's outline drawn on it, for people to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from lesionctl.imaging.arrays import Image, Mask

OVERLAY_SUFFIX = "_overlay.jpg"

_OUTLINE = (0, 255, 120)  # a green that neither skin nor lesion has
_SHADOW = (0, 0, 0)


def draw_outline(image: Image, mask: Mask, colour: tuple[int, int, int] = _OUTLINE) -> Image:
    """Draw the outline of `mask` on a copy of `image`, bright on a dark line so that it shows on any skin.

    Args:
        image: uint8 `[H, W, 3]`.
        mask: bool `[h, w]` of the same picture at any scale.
        colour: Of the outline, RGB in [0, 255].

    Returns:
        uint8 `[H, W, 3]`.
    """
    height, width = image.shape[:2]
    scaled = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(scaled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    thickness = max(2, round(min(height, width) / 300))
    canvas = image.copy()
    cv2.drawContours(canvas, contours, -1, _SHADOW, thickness + 2, cv2.LINE_AA)
    cv2.drawContours(canvas, contours, -1, colour, thickness, cv2.LINE_AA)
    return canvas


def encode_overlay(image: Image) -> bytes:
    """The bytes of a JPEG.

    Args:
        image: uint8 `[H, W, 3]`.
    """
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
    if not done:
        raise RuntimeError("the JPEG encoder refused an overlay")
    return encoded.tobytes()
