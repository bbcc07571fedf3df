"""How fast this device trains on this set: real steps on real data, timed."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from lesionctl.dataset.samples import Split
from lesionctl.runtime.torch_segmenter import TorchSegmenter
from lesionctl.train.data import EpochBatches, Feed, make_loader
from lesionctl.train.memory.trial import Trial
from lesionctl.train.sampling import sources_of, training_rows
from lesionctl.train.validate import score_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from lesionctl.dataset.store import Store
    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.device import Compute
    from lesionctl.train.options import TrainOptions

_WARM, _FEWEST, _MOST = 2, 3, 30  # steps: before the clock starts, and within it
_SECONDS = 6.0
_VALIDATED = 16  # pictures


class Pace(NamedTuple):
    """How fast it goes.

    Attributes:
        step: Seconds that a step takes, its data included.
        validation: Seconds that a picture of the validation split takes.
    """

    step: float
    validation: float


def measure_pace(options: TrainOptions, spec: ModelSpec, store: Store, compute: Compute) -> Pace:
    """Train a few steps, and validate a few pictures, with a network that is thrown away.

    Args:
        options: How, with batch size and repeats decided.
        spec: What the network is, and its input's size.
        store: The prepared set, with training and validation pictures.
        compute: Where.
    """
    trial = Trial(options, spec, compute)
    began, done = 0.0, 0
    for number, (images, truth) in enumerate(_steps(options, store, compute)):
        if number == _WARM:
            trial.wait()
            began = time.perf_counter()
        for part in range(0, len(images), options.batch_size):
            trial.step(images[part : part + options.batch_size], truth[part : part + options.batch_size])
        done = number + 1 - _WARM
        if done >= _MOST or (done >= _FEWEST and time.perf_counter() - began > _SECONDS):
            break
    trial.wait()
    step = (time.perf_counter() - began) / done

    segmenter = TorchSegmenter(spec, trial.net, compute)
    rows = store.rows(Split.VALIDATION)[:_VALIDATED]
    score_rows(segmenter, store, rows)
    began = time.perf_counter()
    score_rows(segmenter, store, rows)
    return Pace(step, (time.perf_counter() - began) / len(rows))


def _steps(options: TrainOptions, store: Store, compute: Compute) -> Iterator[tuple[Tensor, Tensor]]:
    """As the loop gets them, for ever."""
    rows = training_rows(store, options)
    batches = EpochBatches(rows, options, sources=sources_of(store, rows))
    feed = Feed(make_loader(store, batches, options, compute.device), compute.device)
    for epoch in count():
        batches.epoch = epoch
        for images, truth, *_ in feed:
            yield images, truth
