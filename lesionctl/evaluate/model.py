"""Models on the samples of a prepared set, from the original files to figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionctl.dataset.samples import Split
from lesionctl.errors import Failure, GateError, UsageError
from lesionctl.evaluate.evaluation import Evaluation, ImageScore, Origin
from lesionctl.evaluate.leak_gate import WhenSeen, pass_leak_gate
from lesionctl.progress import Progress, Silent, track
from lesionctl.runtime.stream import Segmented, segment_files
from lesionctl.runtime.threads import parallel_map
from lesionctl.scoring.counts import count
from lesionctl.scoring.roc import ProbabilityHistogram

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lesionctl.dataset.store import Store
    from lesionctl.imaging.arrays import Mask
    from lesionctl.runtime.segmenter import Segmenter


def evaluate_model(
    segmenter: Segmenter,
    store: Store,
    split: Split = Split.TEST,
    *,
    fold: int | None = None,
    when_seen: WhenSeen = WhenSeen.REFUSE,
    progress: Progress | None = None,
) -> Evaluation:
    """One model alone: see `evaluate_models`."""
    return evaluate_models([segmenter], store, split, fold=fold, when_seen=when_seen, progress=progress)[0]


def evaluate_models(
    segmenters: Sequence[Segmenter],
    store: Store,
    split: Split = Split.TEST,
    *,
    fold: int | None = None,
    when_seen: WhenSeen = WhenSeen.REFUSE,
    progress: Progress | None = None,
) -> list[Evaluation]:
    """Segment each picture file of a split as `predict` would, and score it against its mask at the mask's own size.

    Each model has to pass the leak gate before any is scored, and all are scored on the same pictures.

    Args:
        segmenters: The models; at least one.
        store: The prepared set.
        split: Which of its splits.
        fold: Which fold's splits; None takes the splits as they stand.
        when_seen: What to do with pictures that one of the models has seen. Refused is only to call them a test: of the
            other splits they are scored and marked.
        progress: Who listens.

    Returns:
        The scores of each model. A picture that cannot be segmented counts as one in which nothing was found, and is
        named among the failures.

    Raises:
        UsageError: The set has no such fold or split.
        GateError: See `pass_leak_gate`.
        BadFile: The set's masks are damaged.
    """
    progress = progress or Silent()
    specs = [segmenter.spec for segmenter in segmenters]
    if fold is not None:
        store = store.at_fold(fold)
    truth = f"{store.path}, {split} split" + ("" if fold is None else f" of fold {fold}")
    rows = store.rows(split).tolist()
    samples = store.samples
    if not rows:
        raise UsageError(f"{store.path} has no {split} split", hint="prepare it with --split 70/10/20")

    if split is not Split.TEST and when_seen is WhenSeen.REFUSE:
        when_seen = WhenSeen.MARK
    seen = [pass_leak_gate(spec, [samples[row] for row in rows], truth, when_seen, progress) for spec in specs]
    if when_seen is WhenSeen.SKIP:
        rows = [row for row in rows if not any(spec.seen.has_seen(samples[row]) for spec in specs)]
        if not rows:
            raise GateError(
                f"each picture of {truth} was seen by one of the models in training: nothing is left to score",
                hint="--seen mark scores them",
            )
    evaluations = []
    for segmenter, count_of_seen in zip(segmenters, seen, strict=True):
        spec = segmenter.spec
        origin = Origin(
            store_digest=store.info.digest,
            split=split,
            fold=fold,
            training_digest=spec.training_digest,
            seen=count_of_seen,
            complete=spec.seen.complete,
            left_out=when_seen is WhenSeen.SKIP,
        )
        evaluation = Evaluation(spec.name, truth, spec.threshold, spec.postprocess, origin)
        _score_rows(segmenter, store, rows, evaluation, progress)
        evaluations.append(evaluation)
    return evaluations


def _score_rows(
    segmenter: Segmenter, store: Store, rows: list[int], evaluation: Evaluation, progress: Progress
) -> None:
    samples = store.samples

    def score(pair: tuple[int, Segmented | Failure]) -> tuple[ImageScore, ProbabilityHistogram, Failure | None]:
        row, outcome = pair
        sample = samples[row]
        mask = store.native_masks.read(row, sample.height, sample.width)
        prediction: Mask = np.zeros_like(mask)
        histogram, failure = ProbabilityHistogram(), None
        if isinstance(outcome, Failure):
            failure = outcome
        elif (outcome.frame.height, outcome.frame.width) != mask.shape:
            failure = Failure(sample.image, "the picture is not of its mask's size")
        else:
            probability = outcome.frame.restore(outcome.probability)
            prediction = segmenter.decide(probability)
            histogram.update(probability, mask)
        counts = count(prediction, mask)
        seen = segmenter.spec.seen.has_seen(sample)
        return ImageScore(sample.id, sample.source, counts, seen), histogram, failure

    segmented = segment_files(segmenter, (samples[row].image for row in rows))
    pairs: Iterator[tuple[int, Segmented | Failure]] = zip(rows, segmented, strict=True)
    for result, histogram, failure in track(progress, parallel_map(score, pairs), "scoring", len(rows)):
        if failure is not None:
            evaluation.failures.append(failure)
        evaluation.add(result, histogram)
