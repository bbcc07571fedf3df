"""A model whose answer a test can know, and pictures to show it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from lesionctl.dataset.inputs import find_inputs
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import UNetSpec
from lesionctl.predict.jobs import plan_jobs
from lesionctl.runtime.segmenter import Segmenter


class DarkIsLesion(Segmenter):
    """Takes dark pixels for lesion."""

    backend = "none"
    digest = "da" * 32

    def __init__(self) -> None:
        self.spec = ModelSpec(UNetSpec("none"), 64, (0.5,) * 3, (0.5,) * 3, name="dark")
        self.seen = 0

    def forward(self, batch):
        self.seen += len(batch)
        return (1 - batch.mean(-1, dtype=np.float32) / 255).astype(np.float32)


@pytest.fixture
def dark_is_lesion():
    """That model; `seen` counts the pictures that went through it."""
    return DarkIsLesion()


@pytest.fixture
def scans(demo, tmp_path):
    """A folder of five drawn pictures."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(5):
        shutil.copy(demo / "images" / f"DEMO_{number:07d}.jpg", folder)
    return folder


@pytest.fixture
def plan(scans, tmp_path):
    """A function that plans the jobs of that folder."""

    def run(out="masks", **about):
        return plan_jobs(find_inputs([str(scans)]), tmp_path / out, **about)

    return run
