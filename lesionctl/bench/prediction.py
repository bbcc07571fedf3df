"""Prediction as people get it, from picture files to mask files, measured by the command's own pipeline."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl.dataset.inputs import Input
from lesionctl.errors import BadFile, Failure
from lesionctl.predict.jobs import plan_jobs
from lesionctl.predict.predict import Wishes, predict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.predict.jobs import Job
    from lesionctl.runtime.segmenter import Segmenter

_WISHES = Wishes(measures=False)  # as the command does where no table is asked for


class PredictEach:
    """From file to mask file, one picture at a time: how long a person waits for one.

    Args:
        segmenter: The model.
        paths: The pictures; each is a run.

    Attributes:
        images: Pictures per run.
    """

    images = 1

    def __init__(self, segmenter: Segmenter, paths: Sequence[Path]) -> None:
        self._segmenter = segmenter
        self._paths = paths

    def run(self) -> list[float]:
        """See `Probe.run`.

        Raises:
            BadFile: A picture cannot be used, or its mask not be written.
        """
        with tempfile.TemporaryDirectory(prefix="lesionctl-bench-") as scratch:
            return [_seconds(self._segmenter, [job], 1) for job in _plan(self._paths, Path(scratch))]


class PredictAll:
    """From files to mask files, all pictures in one go: how long a folder takes.

    Args:
        segmenter: The model.
        paths: The pictures; all of them are one run.
        batch_size: Pictures per run of the network.

    Attributes:
        images: Pictures per run.
    """

    def __init__(self, segmenter: Segmenter, paths: Sequence[Path], batch_size: int) -> None:
        self._segmenter = segmenter
        self._paths = paths
        self._batch_size = batch_size
        self.images = len(paths)

    def run(self) -> list[float]:
        """See `Probe.run`.

        Raises:
            BadFile: A picture cannot be used, or its mask not be written.
        """
        with tempfile.TemporaryDirectory(prefix="lesionctl-bench-") as scratch:
            return [_seconds(self._segmenter, _plan(self._paths, Path(scratch)), self._batch_size)]


def _plan(paths: Sequence[Path], scratch: Path) -> list[Job]:
    """Where the masks go: numbered, for pictures of several folders may have the same name."""
    return plan_jobs([Input(path, Path(f"{number}.png")) for number, path in enumerate(paths)], scratch)


def _seconds(segmenter: Segmenter, jobs: Sequence[Job], batch_size: int) -> float:
    began = time.perf_counter()
    for outcome in predict(segmenter, jobs, _WISHES, batch_size=batch_size):
        if isinstance(outcome, Failure):
            raise BadFile(
                outcome.path,
                outcome.reason,
                hint="measure with pictures that can be used, and room for their masks where TMPDIR says",
            )
    return time.perf_counter() - began
