"""The whole of measuring: pictures, probes, turns."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl.bench.probes import Probe, probe_latency, probe_model, probe_throughput
from lesionctl.bench.timing import Timing
from lesionctl.dataset.inputs import find_inputs
from lesionctl.fetch.demo import draw_demo
from lesionctl.imaging.decode import decode
from lesionctl.predict.jobs import plan_jobs
from lesionctl.progress import Progress, Silent

if TYPE_CHECKING:
    from lesionctl.runtime.segmenter import Segmenter

_DRAWN_PICTURES = 24


class What(StrEnum):
    """What can be measured."""

    MODEL = "model"
    PREDICT = "predict"


def bench(
    segmenters: list[Segmenter],
    what: list[What],
    images: list[str],
    *,
    batch_size: int,
    repeats: int,
    progress: Progress | None = None,
) -> list[Timing]:
    """Measure models on the same pictures.

    All probes run in turn within each repeat, so that a machine whose speed drifts is fair to all; a first turn warms
    up and is not counted.

    Args:
        segmenters: The models.
        what: What to measure of each.
        images: Files, folders or patterns; pictures are drawn if there are none.
        batch_size: Pictures per run of the network, where throughput is measured.
        repeats: Turns that count.
        progress: Who listens.

    Raises:
        BadFile: A picture cannot be used.
    """
    progress = progress or Silent()
    with tempfile.TemporaryDirectory() as scratch:
        if not images:
            draw_demo(Path(scratch) / "drawn", count=_DRAWN_PICTURES, progress=progress)
        inputs = find_inputs(images or [str(Path(scratch) / "drawn" / "images")])
        jobs = plan_jobs(inputs, Path(scratch) / "masks")
        probes: list[Probe] = []
        for segmenter in segmenters:
            if What.MODEL in what:
                decoded = [decode(item.path, at_least=segmenter.spec.size).image for item in inputs]
                probes += [probe_model(segmenter, decoded, size) for size in dict.fromkeys([1, batch_size])]
            if What.PREDICT in what:
                probes += [probe_latency(segmenter, jobs), probe_throughput(segmenter, jobs, batch_size)]

        seconds: list[list[float]] = [[] for _ in probes]
        with progress.task("measuring", (repeats + 1) * len(probes)) as task:
            for turn in range(repeats + 1):
                for probe, taken in zip(probes, seconds, strict=True):
                    times = probe.run()
                    if turn > 0:
                        taken += times
                    task.advance()
    return [
        Timing.of(
            taken,
            probe.images,
            what=probe.what,
            model=probe.segmenter.spec.name,
            backend=probe.segmenter.backend,
            batch_size=probe.batch_size,
        )
        for probe, taken in zip(probes, seconds, strict=True)
    ]
