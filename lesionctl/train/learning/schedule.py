"""The learning rate at each step, as a share of the highest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lesionctl.train.options import Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

POLY_POWER = 0.9
ONECYCLE_START, ONECYCLE_END = 1 / 25, 1e-4
ONECYCLE_RISE = 0.3
"""Share of all steps in which OneCycle rises where no warm-up is asked for."""
PLATEAU_FACTOR, PLATEAU_EPOCHS = 0.5, 3


def rate_share(schedule: Schedule, step: int, total: int, warmup: float, dices: Sequence[float]) -> float:
    """Share of the highest rate at a step.

    All but OneCycle rise in a line first. Then

    - cosine falls in half a cosine to zero (Loshchilov & Hutter 2017, arXiv:1608.03983),
    - poly falls to zero with the power 0.9 of what is left (Chen et al. 2017, arXiv:1606.00915),
    - plateau halves the rate each time that 3 epochs in a row bring no better validation Dice than the best before.

    OneCycle (Smith & Topin 2018, arXiv:1708.07120) rises from 1/25 in half a cosine, and falls in another to 1/10,000
    at the last step. It rises for the share of the steps that `warmup` names; for 30 % where that is 0.

    Args:
        schedule: Which.
        step: Steps done so far, in [0, total).
        total: Steps in all.
        warmup: Share of all steps in which the rate rises, in [0, 1).
        dices: Validation Dice of each finished epoch; only plateau looks at them.

    Returns:
        In (0, 1].
    """
    if schedule is Schedule.ONECYCLE:
        return _onecycle(step, total, warmup or ONECYCLE_RISE)
    rising = round(total * warmup)
    if step < rising:
        return (step + 1) / (rising + 1) * (_halvings(dices) if schedule is Schedule.PLATEAU else 1)
    if schedule is Schedule.POLY:
        return math.pow(1 - (step - rising) / (total - rising), POLY_POWER)
    if schedule is Schedule.PLATEAU:
        return _halvings(dices)
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / (total - rising)))


def _onecycle(step: int, total: int, rise: float) -> float:
    top = max(0.0, rise * total - 1)  # may lie between two steps
    if step < top:
        return _half_cosine(ONECYCLE_START, 1.0, step / top)
    return _half_cosine(1.0, ONECYCLE_END, (step - top) / ((total - 1 - top) or 1.0))


def _half_cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * done))


def _halvings(dices: Sequence[float]) -> float:
    share, best, waited = 1.0, -math.inf, 0
    for dice in dices:
        waited = 0 if dice > best else waited + 1
        best = max(best, dice)
        if waited == PLATEAU_EPOCHS:
            share, waited = share * PLATEAU_FACTOR, 0
    return share
