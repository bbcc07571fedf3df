"""What a script demands of an evaluation, such as a Dice of at least 0.88, and the gate that holds it to that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lesionctl.errors import GateError, UsageError
from lesionctl.scoring.figures import Better, figure, resolve_name
from lesionctl.scoring.overlap import FIGURES, NOT_POOLED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.evaluate.analysis import Analysis, Summary
    from lesionctl.scoring.tolerance import Tolerance

_POOLED = "pooled."
_POOLABLE = [name for name in FIGURES if name not in NOT_POOLED]
_OF_PROBABILITIES = ("roc_auc", "average_precision")


@dataclass(frozen=True)
class Demand:
    """A figure that has to be reached.

    Attributes:
        figure: Its name; of a figure of a picture, the mean over pictures is meant.
        at_least: What it has to be, in [0, 1].
        pooled: All pixels together are meant.
    """

    figure: str
    at_least: float
    pooled: bool = False

    @classmethod
    def parse(cls, text: str) -> Demand:
        """Read `dice=0.88` or `pooled.dice=0.9`.

        Raises:
            UsageError: It is written otherwise, there is no such figure, or less of it is better.
        """
        written, _, value = text.partition("=")
        pooled = written.strip().startswith(_POOLED)
        try:
            name = resolve_name(written.strip().removeprefix(_POOLED))
        except ValueError as error:
            raise UsageError(f"'{text}': {error}", hint="write it as dice=0.88 or pooled.dice=0.9") from error
        if figure(name).better is Better.LOWER:
            raise UsageError(
                f"'{text}': the lower {name} is, the better, and what can be demanded is a least value",
                hint=f"demand one of {', '.join(FIGURES)}, nsd_5px, boundary_iou, {', '.join(_OF_PROBABILITIES)}",
            )
        if pooled and name not in _POOLABLE:
            raise UsageError(
                f"'{text}': there is no such figure of all pixels pooled",
                hint=f"leave out '{_POOLED}', or demand one of {', '.join(_POOLABLE)}",
            )
        try:
            at_least = float(value)
        except ValueError:
            at_least = -1.0
        if not 0 <= at_least <= 1:
            raise UsageError(
                f"'{text}' demands nothing: the value must be a number from 0 to 1",
                hint="write it as dice=0.88 or pooled.dice=0.9",
            )
        return cls(name, at_least, pooled)

    def __str__(self) -> str:
        """As a person would write it: `pooled.dice`."""
        return _POOLED * self.pooled + self.figure

    def find(self, summary: Summary) -> float | None:
        """The figure of a side; None where it could not be measured."""
        if self.figure in _OF_PROBABILITIES:
            found = summary.probabilities.get(self.figure)
            return None if found is None else found.value
        return (summary.pooled if self.pooled else summary.per_image)[self.figure].value


def check_measured(demands: Sequence[Demand], tolerances: Sequence[Tolerance], *, of_model: bool) -> None:
    """See, before anything is scored, that what is demanded will be measured.

    Args:
        demands: What is demanded.
        tolerances: Those of the normalised surface Dice.
        of_model: Whether it is demanded of a model, which gives probabilities, and not of masks.

    Raises:
        UsageError: A figure will not be.
    """
    names = [tolerance.name for tolerance in tolerances]
    for demand in demands:
        if demand.figure in _OF_PROBABILITIES and not of_model:
            raise UsageError(
                f"{demand} cannot be demanded of masks: it is taken from probabilities", hint="demand it of a model"
            )
        if demand.figure.startswith("nsd_") and demand.figure not in names:
            distance = demand.figure.removeprefix("nsd_").replace("pct", "%")
            raise UsageError(f"{demand} is demanded and not measured", hint=f"add --tolerance {distance}")


def check(demands: Sequence[Demand], analysis: Analysis) -> None:
    """Hold the first side to what is demanded.

    Args:
        demands: What is demanded.
        analysis: What was found; what has an equal figure has reached it, what has none has not.

    Raises:
        GateError: A figure is below what is demanded; it names all that are.
    """
    summary = analysis.summaries[0]
    missed = []
    for demand in demands:
        value = demand.find(summary)
        if value is None:
            missed.append(f"{demand} could not be measured, and {demand.at_least} is demanded")
        elif not value >= demand.at_least:  # nor is what is no number
            missed.append(f"{demand} is {_write(value, demand.at_least)}, and {demand.at_least} is demanded")
    if missed:
        raise GateError(f"{summary.name} does not reach what --fail-under demands:\n  " + "\n  ".join(missed))


def _write(value: float, at_least: float) -> str:
    """A value below what is demanded, with as many digits as it takes to see that."""
    short = f"{value:.4f}"
    return repr(value) if float(short) >= at_least else short
