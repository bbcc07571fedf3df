"""Options as a plan decides on them one after another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lesionctl.train.options import TrainOptions


class Decisions:
    """Options as they are decided one after another; what a person gave stands.

    Args:
        options: What is known so far.
        given: Names of the options that a person gave.

    Attributes:
        options: As decided so far.
        reasons: Why, by name.
        given: As above.
    """

    def __init__(self, options: TrainOptions, given: frozenset[str]) -> None:
        self.options = options
        self.given = given
        self.reasons: dict[str, str] = {}

    def take(self, name: str, value: Any, reason: str) -> None:
        """Decide on a value, unless it is given."""
        if name in self.given:
            reason = "given"
        else:
            self.options = replace(self.options, **{name: value})
        self.reasons[name] = reason
