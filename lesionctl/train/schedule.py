"""The learning rate at each step."""

from __future__ import annotations

import math


def warmup_cosine(step: int, total: int, warmup: float) -> float:
    """Rise in a line, then fall in half a cosine to zero (Loshchilov & Hutter 2017, arXiv:1608.03983).

    Args:
        step: Steps done so far, in [0, total).
        total: Steps in all.
        warmup: Share of all steps in which the rate rises, in [0, 1).

    Returns:
        Share of the highest rate, in (0, 1].
    """
    rising = round(total * warmup)
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, total - rising)))
