"""The planner's rules for how long a set is trained on, at which rates, and how its pictures are varied."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lesionctl.errors import UsageError
from lesionctl.train.planning.duration import format_duration

if TYPE_CHECKING:
    from lesionctl.train.options import TrainOptions
    from lesionctl.train.planning.decisions import Decisions
    from lesionctl.train.planning.pace import Pace
    from lesionctl.train.planning.situation import Situation

_FEW, _MANY = 500, 20_000  # training pictures that are varied strongly below, lightly from there on
_STEPS_PER_EPOCH = 32
_VIEWS = 1000  # times the root of the number of pictures
_FEWEST_VIEWS = 2000
_WORTHWHILE = 4  # times the usual views that a long budget may take
_SHARE_OF_BUDGET = 0.9


def plan_augmentation(decisions: Decisions, there: Situation) -> None:
    """Fewer pictures are varied more."""
    if there.train < _FEW:
        decisions.take(
            "augment", "strong", f"{there.train} training pictures, fewer than {_FEW}, must be varied widely"
        )
    elif there.train < _MANY:
        decisions.take("augment", "standard", f"{there.train} training pictures, between {_FEW} and {_MANY}")
    else:
        decisions.take("augment", "light", f"{there.train} training pictures vary by themselves")


def per_step(options: TrainOptions, there: Situation) -> int:
    """Pictures that a step learns from."""
    return min(options.batch_size * options.accumulate, there.views)


def plan_rates(decisions: Decisions, there: Situation) -> None:
    """Lower for weights that are good already, and for small batches; the batch must be decided."""
    options = decisions.options
    pictures = per_step(options, there)
    base, what = (
        (2e-4, "for weights that know lesions") if options.init else (1e-3, "for weights that do not know lesions")
    )
    rate = float(f"{base * math.sqrt(pictures / 16):.2g}")
    decisions.take("lr", rate, f"{base:g} {what}, × √({pictures} / 16) for {pictures} pictures per step")
    if options.init or options.encoder_weights != "none":
        few = there.train < 2 * _FEW
        decay = 0.8 if few else 1.0
        why = "early stages, which suit any picture, move less" if few else "enough to move every stage alike"
        decisions.take("layer_decay", decay, f"{there.train} training pictures: {why}")
    if options.init:
        decisions.take("weight_decay", 0.01, "the usual; the weights are good already")
    elif there.train < 2 * _FEW:
        decisions.take("weight_decay", 0.05, f"{there.train} training pictures, fewer than {2 * _FEW}: held back more")
    else:
        decisions.take("weight_decay", 0.01, f"the usual, for {there.train} training pictures")


def plan_repeat(decisions: Decisions, there: Situation) -> None:
    """How often an epoch of a small set shows each picture; the batch must be decided."""
    pictures = per_step(decisions.options, there)
    repeat = max(1, math.ceil(_STEPS_PER_EPOCH * pictures / there.views))
    why = f"{there.views_text} are {there.views / pictures:.3g} steps of {pictures}"
    more = f"{why}; an epoch, with its validation, has {_STEPS_PER_EPOCH} at least" if repeat > 1 else why
    decisions.take("repeat", repeat, more)


def _steps_per_epoch(options: TrainOptions, there: Situation) -> int:
    pictures = per_step(options, there)
    repeat = options.repeat or max(1, math.ceil(_STEPS_PER_EPOCH * pictures / there.views))
    return max(1, there.views * repeat // pictures)


def _usual_views(options: TrainOptions, there: Situation) -> tuple[float, str]:
    """How many pictures are shown in all: ever fewer of each, the more there are."""
    views, why = _VIEWS * math.sqrt(there.train), f"{_VIEWS} × √{there.train}"
    if there.device != "cpu":
        views, why = 2 * views, f"2 × {why} on a GPU"
    if options.init:
        views, why = views / 2, f"half of {why} from a trained model"
    elif options.encoder_weights == "none":
        views, why = 2 * views, f"2 × {why} from random weights"
    if views < _FEWEST_VIEWS:
        return _FEWEST_VIEWS, f"{_FEWEST_VIEWS} at least"
    return views, why


def plan_epochs(decisions: Decisions, there: Situation) -> None:
    """As many epochs as the usual number of views makes; the repeats must be decided."""
    options = decisions.options
    views, why = _usual_views(options, there)
    shown = _steps_per_epoch(options, there) * per_step(options, there)
    epochs = max(3, round(views / shown))
    total = epochs * shown
    decisions.take("epochs", epochs, f"{total} views in all ({why}), {total / there.train:.0f} of each picture")


def plan_epochs_within(decisions: Decisions, there: Situation, budget: float, spent: float, pace: Pace) -> None:
    """As many epochs as the budget holds, and no more than are worth while.

    Args:
        decisions: With all that an epoch depends on.
        there: The set and the device.
        budget: Seconds for everything.
        spent: Seconds of it that are gone.
        pace: How fast it goes.
    """
    options = decisions.options
    steps = _steps_per_epoch(options, there)
    validating = there.validation * pace.validation
    per_epoch = steps * pace.step + validating
    at_the_end = 3 * validating  # threshold and post-processing are chosen, and the best is scored
    fitting = int((_SHARE_OF_BUDGET * budget - spent - at_the_end) / per_epoch)
    if fitting < 1:
        least = (per_epoch + at_the_end + spent) / _SHARE_OF_BUDGET
        raise UsageError(
            f"a budget of {format_duration(budget)} is too short: one epoch takes {format_duration(per_epoch)} here",
            hint=f"give --budget {format_duration(least)} or more, or choose a smaller --size",
        )
    views, _ = _usual_views(options, there)
    shown = steps * per_step(options, there)
    worthwhile = max(3, round(_WORTHWHILE * views / shown))
    measured = f"{steps} steps of {pace.step:.2g} s and {there.validation} to validate of {pace.validation:.2g} s"
    if fitting > worthwhile:
        most = f"{worthwhile * shown} views, {_WORTHWHILE} times the usual, are as many as are worth while"
        reason = f"{fitting} would fit into {format_duration(budget)}, but {most}"
    else:
        reason = f"90 % of {format_duration(budget)}, less {spent:.0f} s of measuring: an epoch is {measured}"
    decisions.take("epochs", min(fitting, worthwhile), reason)


def plan_for_steps(decisions: Decisions, there: Situation) -> None:
    """What depends on how long the run is."""
    options = decisions.options
    steps = options.epochs * _steps_per_epoch(options, there)
    patience = max(5, options.epochs // 2)
    decisions.take(
        "patience", patience, f"half of {options.epochs} epochs, 5 at least: the low rates at the end help most"
    )
    warmup = round(min(0.2, max(0.05, 50 / steps)), 3)
    decisions.take("warmup", warmup, f"{warmup * steps:.0f} of {steps} steps")
    half_life = steps / 20
    ema = round(min(0.9995, max(0.5, 0.5 ** (1 / half_life))), 4) if half_life >= 1 else 0.0
    decisions.take("ema", ema, f"half of it is forgotten after {half_life:.0f} steps, 1/20 of {steps}")
