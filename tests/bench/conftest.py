"""Rows that nobody had to measure."""

from __future__ import annotations

import pytest

from lesionctl.bench.case import Case, What
from lesionctl.bench.result import Row
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.precision import Precision


@pytest.fixture
def make_row():
    """A function that makes a row of which only some fields matter: four turns of two runs of half a second."""

    def make(**fields):
        case = Case(What.NETWORK, "tiny", Backend.TORCH, Precision.FP32, "cpu", batch_size=2)
        known = {"runs_on": "torch fp32 cpu", "images": 2, "turns": ((0.5, 0.5),) * 4, "memory_mb": 300.0}
        return Row(**{"case": case, **known, **fields})

    return make
