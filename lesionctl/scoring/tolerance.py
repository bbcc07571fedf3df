"""How far a boundary may be off: in pixels, or in per cent of the lesion's diameter."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, cast

_WRITTEN = re.compile(r"(\d+(?:\.\d+)?) *(px|%)")

Unit = Literal["px", "%"]


@dataclass(frozen=True)
class Tolerance:
    """A distance up to which a boundary counts as right.

    Attributes:
        value: How much: 0 or more.
        unit: "px", or "%" of the diameter of the true lesion (of the disc of equal area).

    Raises:
        ValueError: The value is negative or no number.
    """

    value: float
    unit: Unit

    def __post_init__(self) -> None:
        """See the class."""
        if not (math.isfinite(self.value) and self.value >= 0):
            raise ValueError(f"a tolerance is 0 or more, not {self.value}")

    @classmethod
    def parse(cls, text: str) -> Tolerance:
        """Read a tolerance as people write it: "5px", "2%", "2.5 %".

        Raises:
            ValueError: It is written otherwise.
        """
        match = _WRITTEN.fullmatch(text.strip().lower())
        if match is None:
            raise ValueError(f"'{text}' is no tolerance: give pixels or per cent of the lesion's diameter: 5px or 2%")
        return cls(float(match[1]), cast("Unit", match[2]))

    @property
    def name(self) -> str:
        """What the figure at this tolerance is called in JSON and CSV: "nsd_5px", "nsd_2pct", "nsd_2.5pct"."""
        return f"nsd_{self._number}{'px' if self.unit == 'px' else 'pct'}"

    def __str__(self) -> str:
        """As in text: "5 px", "2 %"."""
        return f"{self._number} {self.unit}"

    def pixels(self, diameter: float) -> float:
        """The tolerance in pixels for a lesion of `diameter` pixels."""
        return self.value if self.unit == "px" else self.value / 100 * diameter

    @property
    def _number(self) -> str:
        return format(Decimal(repr(float(self.value))).normalize(), "f")


DEFAULT_TOLERANCES = (Tolerance(5, "px"), Tolerance(5, "%"))
