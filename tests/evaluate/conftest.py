"""A model whose answer a test can know."""

from __future__ import annotations

import numpy as np
import pytest

from lesionctl.dataset.exposure import Exposure
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import UNetSpec
from lesionctl.progress import Silent
from lesionctl.runtime.segmenter import Segmenter


class DarkIsLesion(Segmenter):
    """Takes dark pixels for lesion."""

    backend = "none"

    def __init__(self, threshold: float = 0.5, seen: Exposure | None = None) -> None:
        self.spec = ModelSpec(
            UNetSpec("none"), 64, (0.5,) * 3, (0.5,) * 3, threshold=threshold, name="dark", seen=seen or Exposure()
        )

    def forward(self, batch):
        return (1 - batch.mean(-1, dtype=np.float32) / 255).astype(np.float32)


class Listener(Silent):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


@pytest.fixture(scope="session")
def dark_is_lesion():
    """The class of that model."""
    return DarkIsLesion


@pytest.fixture
def listener():
    """A listener that keeps the warnings."""
    return Listener()
