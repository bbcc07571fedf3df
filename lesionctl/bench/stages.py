"""Taking a prediction apart: the same calls as in the pipeline, one stage after the other, each under a clock."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from lesionctl.atomic import write_bytes
from lesionctl.bench.split import Machine, Stage, Stages
from lesionctl.imaging.decode import decode_bytes
from lesionctl.imaging.mask_form import MaskForm
from lesionctl.imaging.masks import encode_mask
from lesionctl.imaging.opening import read_file
from lesionctl.predict.review import review
from lesionctl.progress import Progress, Silent, Task
from lesionctl.runtime.backend import Backend, processor_has_bf16
from lesionctl.runtime.stream import BATCH_SIZE, Segmented
from lesionctl.runtime.threads import available_cpus, parallel_map

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lesionctl.imaging.arrays import Image
    from lesionctl.imaging.frame import Frame
    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.segmenter import Segmenter

R = TypeVar("R")


class _Viewed(NamedTuple):
    path: Path
    frame: Frame
    view: Image


class _Clock:
    """Adds up seconds of processor time, and keeps those that each batch took on the wall's clock."""

    def __init__(self) -> None:
        self.spent: dict[Stage, float] = defaultdict(float)
        self.encoding: dict[MaskForm, float] = defaultdict(float)
        self.batches: list[float] = []

    def time(self, stage: Stage | MaskForm, function: Callable[[], R]) -> R:
        """Call what runs in this thread alone."""
        began = time.thread_time()
        result = function()
        taken = time.thread_time() - began
        if isinstance(stage, MaskForm):
            self.encoding[stage] += taken
        else:
            self.spent[stage] += taken
        return result

    def time_network(self, function: Callable[[], R], pictures: int) -> R:
        """Call what may run in all threads of this process, or on a device, for a batch of which some are real."""
        began, on_wall = time.process_time(), time.perf_counter()
        result = function()
        self.batches.append(time.perf_counter() - on_wall)
        self.spent[Stage.FORWARD] += (time.process_time() - began) * pictures / BATCH_SIZE
        return result


def split_stages(
    segmenter: Segmenter, paths: Sequence[Path], form: MaskForm = MaskForm.GREY8, progress: Progress | None = None
) -> Stages:
    """Measure what each stage of a prediction takes.

    All but the network is measured in one thread, by the time that this thread had a processor: what else runs on the
    machine hardly matters. The network's is the processor time of the whole process, threads that wait by turning in
    circles included.

    Args:
        segmenter: The model.
        paths: The pictures, at least one; some dozens say as much as thousands.
        form: How masks are written.
        progress: Who listens.

    Raises:
        BadFile: A picture cannot be used.
    """
    clock = _Clock()
    with (
        (progress or Silent()).task("stages", 1 + len(paths)) as task,
        tempfile.TemporaryDirectory(prefix="lesionctl-bench-") as scratch,
    ):
        _run_apart(segmenter, paths[:1], form, Path(scratch), _Clock(), task)  # warms up
        _run_apart(segmenter, paths, form, Path(scratch), clock, task)
    clock.spent[Stage.ENCODE] = clock.encoding[form]
    began = time.perf_counter()
    for _ in parallel_map(lambda path: _view(path, segmenter.spec, _Clock()), paths):
        pass
    decoding = len(paths) / (time.perf_counter() - began)
    return Stages(
        backend=segmenter.backend,
        form=form,
        processors=available_cpus(),
        pictures=len(paths),
        seconds={stage: clock.spent[stage] / len(paths) for stage in Stage},
        encoding={each: clock.encoding[each] / len(paths) for each in MaskForm},
        decoding=decoding,
        network=BATCH_SIZE / median(clock.batches),
        machine=Machine(openvino=Backend.OPENVINO.works, bf16=processor_has_bf16()),
    )


def _run_apart(
    segmenter: Segmenter, paths: Sequence[Path], form: MaskForm, scratch: Path, clock: _Clock, task: Task
) -> None:
    """Segment pictures stage by stage, no more of them at a time than the network takes."""
    for start in range(0, len(paths), BATCH_SIZE):
        viewed = [_view(path, segmenter.spec, clock) for path in paths[start : start + BATCH_SIZE]]
        # Always a full batch: runtimes prepare anew for each size, which would count as the network's time.
        batch = np.stack([viewed[index % len(viewed)].view for index in range(BATCH_SIZE)])
        probabilities, spreads = clock.time_network(
            lambda batch=batch: segmenter.forward_with_spread(batch),  # type: ignore[misc] # bound at once
            len(viewed),
        )
        for index, (path, frame, view) in enumerate(viewed):
            spread = None if spreads is None else spreads[index]
            segmented = Segmented(path, frame, view, probabilities[index], spread, None, 0.0)
            _finish(segmented, segmenter, form, scratch, clock)
        task.advance(len(viewed))


def _view(path: Path, spec: ModelSpec, clock: _Clock) -> _Viewed:
    content = clock.time(Stage.READ, lambda: read_file(path))
    decoded = clock.time(Stage.DECODE, lambda: decode_bytes(content, path, spec.size))
    frame = spec.frame(decoded.height, decoded.width)
    return _Viewed(path, frame, clock.time(Stage.RESIZE, lambda: frame.shrink(decoded.image)))


def _finish(segmented: Segmented, segmenter: Segmenter, form: MaskForm, scratch: Path, clock: _Clock) -> None:
    mask = clock.time(Stage.UPSAMPLE, lambda: segmenter.mask(segmented.probability, segmented.frame))
    clock.time(Stage.REVIEW, lambda: review(mask, segmented, segmenter.spec))
    contents = {each: clock.time(each, lambda each=each: encode_mask(mask, each)) for each in MaskForm}  # type: ignore[misc]
    clock.time(Stage.WRITE, lambda: write_bytes(scratch / "mask.png", contents[form]))
