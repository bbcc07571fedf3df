"""How a picture of any shape becomes the square that a network sees."""

from __future__ import annotations

from enum import StrEnum


class ResizeRule(StrEnum):
    """How a picture of any shape becomes a square."""

    SQUASH = "squash"
    """Both sides are scaled to the square's: nothing is lost, circles become ellipses."""
    PAD = "pad"
    """The longer side is scaled to the square's, the rest is black: shapes are kept, some pixels are unused."""
