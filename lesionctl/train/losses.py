"""What training makes small."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor


def dice_loss(logits: Tensor, truth: Tensor, smooth: float = 1.0) -> Tensor:
    """Soft Dice loss (Milletari et al. 2016, arXiv:1606.04797, without squares), the mean over pictures.

    Args:
        logits: float `[N, 1, H, W]`.
        truth: float `[N, 1, H, W]`, 0 or 1.
        smooth: Pixels added to intersection and size, so that an empty mask that is predicted empty costs nothing.

    Returns:
        float32 scalar in [0, 1].
    """
    probability = logits.float().sigmoid()
    intersection = (probability * truth).sum(dim=(1, 2, 3))
    total = probability.sum(dim=(1, 2, 3)) + truth.sum(dim=(1, 2, 3))
    return 1 - ((2 * intersection + smooth) / (total + smooth)).mean()


def bce_dice_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy, which gives every pixel a gradient, plus Dice, which is close to what is scored.

    Args:
        logits: float `[N, 1, H, W]`; computed in float32 whatever their format.
        truth: float `[N, 1, H, W]`, 0 or 1.

    Returns:
        float32 scalar.
    """
    return F.binary_cross_entropy_with_logits(logits.float(), truth) + dice_loss(logits, truth)
