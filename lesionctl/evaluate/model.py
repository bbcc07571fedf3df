"""A model on the samples of a prepared set, from the original files to figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionctl.errors import BadFile, Failure
from lesionctl.evaluate.evaluation import Evaluation, ImageScore
from lesionctl.imaging.masks import read_mask
from lesionctl.progress import Progress, Silent, track
from lesionctl.runtime.stream import Segmented, segment_files
from lesionctl.runtime.threads import parallel_map
from lesionctl.scoring.counts import count
from lesionctl.scoring.roc import ProbabilityHistogram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lesionctl.dataset.samples import Sample
    from lesionctl.imaging.arrays import Mask
    from lesionctl.runtime.segmenter import Segmenter


def evaluate_model(
    segmenter: Segmenter, samples: list[Sample], truth: str, progress: Progress | None = None
) -> Evaluation:
    """Segment each sample's picture file as `predict` would, and score it against its mask file at the mask's own size.

    Args:
        segmenter: The model.
        samples: What to score.
        truth: What the samples are called in the result.
        progress: Who listens.

    Returns:
        The scores. A picture that cannot be segmented counts as one in which nothing was found, and is named among the
        failures; a picture whose truth cannot be read has no score and is named too.
    """
    evaluation = Evaluation(segmenter.spec.name, truth, segmenter.spec.threshold)
    segmented = segment_files(segmenter, (sample.image for sample in samples))

    def score(
        pair: tuple[Sample, Segmented | Failure],
    ) -> tuple[ImageScore | None, ProbabilityHistogram, list[Failure]]:
        sample, outcome = pair
        histogram, failures = ProbabilityHistogram(), []
        try:
            mask = read_mask(sample.mask)
        except BadFile as error:
            return None, histogram, [Failure(error.path, error.reason)]
        prediction: Mask = np.zeros_like(mask)
        if isinstance(outcome, Failure):
            failures.append(outcome)
        elif (outcome.frame.height, outcome.frame.width) != mask.shape:
            failures.append(Failure(sample.image, "the picture is not of its mask's size"))
        else:
            probability = outcome.frame.restore(outcome.probability)
            prediction = probability > segmenter.spec.threshold
            histogram.update(probability, mask)
        return ImageScore(sample.id, sample.source, count(prediction, mask)), histogram, failures

    pairs: Iterator[tuple[Sample, Segmented | Failure]] = zip(samples, segmented, strict=True)
    for result, histogram, failures in track(progress or Silent(), parallel_map(score, pairs), "scoring", len(samples)):
        evaluation.failures += failures
        if result is not None:
            evaluation.add(result, histogram)
    return evaluation
