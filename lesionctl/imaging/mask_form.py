"""The forms of a mask file: an option, and nothing that takes long to import."""

from __future__ import annotations

from enum import StrEnum


class MaskForm(StrEnum):
    """How a mask is written: grey with 0 and 255, which every program shows, or 1 bit per pixel, made in less time."""

    GREY8 = "8-bit"
    BITS1 = "1-bit"
