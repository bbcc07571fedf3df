"""Repeated measurements and the figures that are quoted of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionctl.scoring.bootstrap import interval

if TYPE_CHECKING:
    from collections.abc import Sequence

RESAMPLES = 1000

FEWEST_TURNS = 4
"""Of fewer there is no interval."""


@dataclass(frozen=True)
class Timing:
    """The figures of one case.

    Attributes:
        runs: Measurements that the figures are taken from.
        images_per_second: By the median run.
        low: Lower end of its 95 % interval; None with fewer than `FEWEST_TURNS` turns.
        high: Upper end; None likewise.
        p50_ms: Median time of a run, in milliseconds.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
    """

    runs: int
    images_per_second: float
    low: float | None
    high: float | None
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, turns: Sequence[Sequence[float]], images: int) -> Timing:
        """Figures of runs of `images` pictures each.

        Runs of one turn resemble one another more than those of another minute, so the interval comes from whole turns
        that are drawn again with replacement.

        Args:
            turns: Seconds of each run, by turn; at least one run.
            images: Pictures per run.
        """
        seconds = np.concatenate([np.asarray(turn, np.float64) for turn in turns])
        p50, p95, p99 = (float(value) for value in np.percentile(seconds, (50, 95, 99)))
        slow, fast = _interval(turns)
        return cls(
            runs=len(seconds),
            images_per_second=images / p50,
            low=None if slow is None else images / slow,
            high=None if fast is None else images / fast,
            p50_ms=p50 * 1e3,
            p95_ms=p95 * 1e3,
            p99_ms=p99 * 1e3,
        )

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms."""
        return asdict(self)


def _interval(turns: Sequence[Sequence[float]]) -> tuple[float, float] | tuple[None, None]:
    """The upper and the lower end of the 95 % interval of the median run, in seconds."""
    if len(turns) < FEWEST_TURNS:
        return None, None
    random = np.random.default_rng(0)
    drawn = random.integers(0, len(turns), (RESAMPLES, len(turns)))
    medians = [np.median(np.concatenate([turns[index] for index in row])) for row in drawn]
    low, high = interval(np.array(medians)[:, None])[:, 0].tolist()
    return high, low
