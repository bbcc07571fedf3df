"""Figures, intervals and counts in the words of a report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lesionctl.scoring.bootstrap import FEWEST_GROUPS, Estimate
from lesionctl.scoring.figures import Better, figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.evaluate.comparison import Difference

SPLITS = {"train": "training", "val": "validation", "test": "test"}
"""What a split is called, by its name in a prepared set."""

TOO_FEW = f"too few groups for an interval, which takes {FEWEST_GROUPS}"
"""What fewer groups are."""

MINUS, NOTHING = "−", "–"

_PLACES, _PLACES_OF_UNITS = 3, 1  # of what has no unit; of pixels and per cent


def format_value(name: str, value: float | None, *, signed: bool = False, fine: bool = False) -> str:
    """A value of a figure, without its unit: three places, or one of pixels and per cent; one more of a difference.

    Args:
        name: Of the figure.
        value: Its value; None and NaN are a dash.
        signed: Whether it is a difference: a plus is written too.
        fine: Whether it is the size of a difference.
    """
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    places = (_PLACES_OF_UNITS if figure(name).unit else _PLACES) + (signed or fine)
    text = f"{value:{'+' if signed else ''}.{places}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def with_unit(name: str, value: float | None) -> str:
    """A value of a figure with its unit."""
    unit = figure(name).unit
    return f"{format_value(name, value)} {unit}".strip()


def format_interval(name: str, estimate: Estimate, *, signed: bool = False, fine: bool = False) -> str:
    """The interval of an estimate, `0.881 to 0.906`; nothing where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    low, high = (format_value(name, end, signed=signed, fine=fine) for end in (estimate.low, estimate.high))
    return f"{low} to {high}"


def in_words(name: str, estimate: Estimate, *, signed: bool = False, fine: bool = False) -> str:
    """An estimate within a sentence: `0.894 (95 % interval 0.881 to 0.906)`."""
    unit = figure(name).unit
    value = f"{format_value(name, estimate.value, signed=signed, fine=fine)} {unit}".strip()
    interval = format_interval(name, estimate, signed=signed, fine=fine)
    return f"{value} (95 % interval {interval})" if interval else value


def size_in_words(found: Difference) -> str:
    """A difference without its sign, where the words beside it say which side is ahead."""
    estimate = found.estimate
    if estimate.value < 0 and estimate.low is not None and estimate.high is not None:
        estimate = Estimate(-estimate.value, -estimate.high, -estimate.low)
    return in_words(found.figure, estimate, fine=True)


def doubt_in_words(found: Difference) -> str:
    """What goes on from a verdict that the p-value does not bear out; nothing where it does, or where there is none."""
    if not found.contested:
        return ""
    p_value = format_p(found.p_holm)
    return f"; so says the interval, but p, corrected for all differences together, is {p_value}: no evidence of one"


def format_p(value: float) -> str:
    """A p-value: three places, `< 0.001` below."""
    if math.isnan(value):
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def label_of(name: str) -> str:
    """What tables call a figure, with its unit and which way is better."""
    known = figure(name)
    unit = f", {known.unit}" if known.unit else ""
    return f"{known.label}{unit} {'↑' if known.better is Better.HIGHER else '↓'}"


def percent(share: float, places: int = 1) -> str:
    """A share in [0, 1] in per cent: `12.3 %`."""
    return f"{100 * share:.{places}f} %"


def count_of(number: int, noun: str, plural: str = "") -> str:
    """`1 picture`, `2,594 pictures`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def join(words: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    *others, end = words
    return f"{', '.join(others)} {last} {end}" if others else end


def capitalise(text: str) -> str:
    """The text with a capital letter at its beginning, the rest as it was."""
    return text[:1].upper() + text[1:]
