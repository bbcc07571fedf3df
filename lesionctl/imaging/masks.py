"""Mask files: PNG, 0 and 255, `<stem>_segmentation.png`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from lesionctl.errors import BadFile
from lesionctl.imaging.decode import open_picture, read_file

if TYPE_CHECKING:
    from pathlib import Path

    from lesionctl.imaging.arrays import Mask

MASK_SUFFIX = "_segmentation.png"

FOREGROUND_ABOVE = 128
"""ISIC's scorer takes a pixel of a mask file as lesion where its grey value is above this."""

# Runs of equal bytes are all that a mask has: run-length matching alone compresses it nearly as well as a full search,
# in a fraction of the time.
_PNG_SETTINGS = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]


def read_mask(path: Path, *, strict: bool = False) -> Mask:
    """Read and decode a mask file; see `decode_mask`."""
    return decode_mask(read_file(path), path, strict=strict)


def decode_mask(content: bytes, path: Path, *, strict: bool = False) -> Mask:
    """Decode the content of a mask file of any kind, always through grey and never by palette index.

    Args:
        content: The file's bytes.
        path: Its name, for messages.
        strict: Refuse a mask that holds anything but 0 and 255, or 0 and 1, which are then background and lesion.

    Returns:
        bool `[H, W]`: the grey value is above 128.

    Raises:
        BadFile: The file cannot be read, or (strict) it is not binary.
    """
    with open_picture(content, path) as picture:
        grey = np.asarray(picture.convert("L"))
    if not strict:
        return grey > FOREGROUND_ABOVE
    values = np.flatnonzero(np.bincount(grey.ravel(), minlength=256))
    if set(values) <= {0, 255}:
        return grey > FOREGROUND_ABOVE
    if set(values) <= {0, 1}:
        return grey == 1
    raise BadFile(path, f"the mask is not binary: it holds {len(values)} grey values from {values[0]} to {values[-1]}")


def encode_mask(mask: Mask) -> bytes:
    """The bytes of an 8-bit grey PNG with 0 for background and 255 for lesion.

    Args:
        mask: bool `[H, W]`.
    """
    done, encoded = cv2.imencode(".png", mask.view(np.uint8) * np.uint8(255), _PNG_SETTINGS)
    if not done:
        raise RuntimeError("the PNG encoder refused a mask")
    return encoded.tobytes()
