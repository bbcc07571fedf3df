"""How often the pictures of each source are shown: where one is large and another dear, or one is to be left out."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.dataset.samples import Split
from lesionctl.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from lesionctl.dataset.samples import Sample
    from lesionctl.dataset.store import Store
    from lesionctl.train.options import TrainOptions


def learned_from(sample: Sample, options: TrainOptions) -> bool:
    """Whether a training looks at a sample: to learn it, or to be validated on it."""
    if sample.split is Split.TRAIN:
        return dict(options.source_weight).get(sample.source) != 0
    return sample.split is Split.VALIDATION


def training_rows(store: Store, options: TrainOptions) -> NDArray[np.int64]:
    """The rows of a store that are learned, ascending: its training split without the sources that weigh 0.

    Raises:
        UsageError: There is none, or an option names a source of which there is no picture to train on.
    """
    rows = store.rows(Split.TRAIN)
    if not len(rows):
        raise UsageError(f"{store.path} has no {Split.TRAIN} split", hint="prepare it with --split 70/10/20")
    known = sorted(set(sources_of(store, rows)))
    for name, _ in options.source_weight:
        if name not in known:
            raise UsageError(
                f"--source-weight: {store.path} has no training pictures of a source '{name}'",
                hint=did_you_mean(name, known),
            )
    learned = [row for row in rows if learned_from(store.samples[row], options)]
    if not learned:
        raise UsageError("--source-weight leaves out every source", hint="give one of them a factor above 0")
    return np.array(learned, np.int64)


def sources_of(store: Store, rows: Iterable[int]) -> list[str]:
    """The source of each row."""
    return [store.samples[row].source for row in rows]


def views_of_a_pass(sources: Sequence[str], options: TrainOptions) -> dict[str, int]:
    """How many views of each source a pass shows: its pictures times its factor, rounded, and one at least.

    Args:
        sources: The source of each picture that is learned.
        options: The factors; a source that they do not name has 1.
    """
    factors = dict(options.source_weight)
    return {
        source: max(1, math.floor(pictures * factors.get(source, 1.0) + 0.5))
        for source, pictures in sorted(Counter(sources).items())
    }
