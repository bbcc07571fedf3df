"""The figures of an epoch."""

from __future__ import annotations

Row = dict[str, float]
"""One epoch: epoch, lr, loss, images_per_second, and the validation figures val_dice, val_jaccard, ..."""
