"""What a model has to know to tell which of its masks a person should look at: learned when all else is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.imaging.confidence import confidence
from lesionctl.imaging.familiarity import Familiarity, describe_view
from lesionctl.runtime.threads import parallel_map
from lesionctl.scoring.counts import count
from lesionctl.scoring.overlap import THRESHOLD_JACCARD, jaccard
from lesionctl.train.validate import predict_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from lesionctl.dataset.store import Store
    from lesionctl.imaging.arrays import Mask, Probability
    from lesionctl.imaging.postprocess import Postprocess
    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.segmenter import Segmenter

CAUGHT = 0.8
"""The share of the failures on the validation pictures that are below the confidence limit."""

LEAST_FLAGGED = 0.05
"""The share of all validation pictures that are below it at least, however few have failed."""

_MOST_DESCRIBED = 4096  # pictures: more would not change what is familiar


def with_limits(
    segmenter: Segmenter, store: Store, train_rows: NDArray[np.int64], val_rows: NDArray[np.int64]
) -> ModelSpec:
    """The spec of a model with what is familiar to it, and with the confidence below which a person should look.

    Args:
        segmenter: The model, with its threshold and its post-processing.
        store: What it was trained on.
        train_rows: The rows that it learned from.
        val_rows: The rows that its threshold was chosen on; at least one.
    """
    spec = segmenter.spec
    some = train_rows[np.linspace(0, len(train_rows) - 1, min(_MOST_DESCRIBED, len(train_rows))).astype(int)]
    familiar = Familiarity.of(_describe(spec, store, some), _describe(spec, store, val_rows))
    limit = choose_confidence_limit(predict_rows(segmenter, store, val_rows), spec.threshold, spec.postprocess)
    return replace(spec, familiar=familiar, confidence_limit=limit)


def choose_confidence_limit(
    predictions: Iterable[tuple[Probability, Mask]], threshold: float, postprocess: Postprocess
) -> float:
    """The confidence below which `CAUGHT` of the failures are, and `LEAST_FLAGGED` of all pictures at least.

    A failure is a mask with a Jaccard index below 0.65. `tests/benchmarks/review_curve.py` shows what comes of it.

    Args:
        predictions: For each picture, at least one, the probability, float32 `[H, W]`, and the truth, bool `[H, W]`.
        threshold: The model's.
        postprocess: The model's.

    Returns:
        In [0, 1].
    """

    def judge(picture: tuple[Probability, Mask]) -> tuple[float, float]:
        probability, truth = picture
        mask = postprocess.apply(probability > threshold)
        return confidence(probability, mask), jaccard(count(mask, truth))

    sure, right = np.array(list(parallel_map(judge, predictions))).T
    failed = right < THRESHOLD_JACCARD
    limit = np.quantile(sure, LEAST_FLAGGED)
    if failed.any():
        limit = max(limit, np.quantile(sure[failed], CAUGHT))
    return round(float(limit), 4)


def _describe(spec: ModelSpec, store: Store, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Of the network's views of rows: float32 `[n, k]`."""
    frame = spec.frame(store.info.size, store.info.size)
    return np.array(list(parallel_map(lambda row: describe_view(frame.shrink(store.images[row])), rows)))
