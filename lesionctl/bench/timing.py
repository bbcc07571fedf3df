"""Repeated measurements and the figures that are quoted of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Timing:
    """One thing that was measured.

    Attributes:
        what: "model": the network alone, from bytes in memory to probabilities in memory; "predict each" and "predict
            all": from picture file to mask file, one by one or all in one go.
        model: Name of the model.
        backend: What ran it, in which number format, on which device.
        batch_size: Pictures per run of the network.
        runs: Measurements that the figures are taken from.
        images_per_second: By the median run.
        p50_ms: Median time of a run, in milliseconds.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
    """

    what: str
    model: str
    backend: str
    batch_size: int
    runs: int
    images_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, seconds: list[float], images: int, **what: Any) -> Timing:
        """Figures of runs of `images` pictures each, from their times in seconds."""
        p50, p95, p99 = (float(value) for value in np.percentile(seconds, (50, 95, 99)))
        return cls(
            **what,
            runs=len(seconds),
            images_per_second=images / p50,
            p50_ms=p50 * 1e3,
            p95_ms=p95 * 1e3,
            p99_ms=p99 * 1e3,
        )

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms."""
        return asdict(self)
