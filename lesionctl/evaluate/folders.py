"""A folder of predicted masks, made by any program, against a folder of true ones."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.dataset.pairs import list_images, mask_id
from lesionctl.errors import BadFile, Failure, UsageError
from lesionctl.evaluate.evaluation import Evaluation, ImageScore
from lesionctl.imaging.masks import read_mask
from lesionctl.progress import Progress, Silent, track
from lesionctl.runtime.threads import parallel_map
from lesionctl.scoring.counts import count

if TYPE_CHECKING:
    from pathlib import Path


def evaluate_folders(predictions: Path, truths: Path, progress: Progress | None = None) -> Evaluation:
    """Score masks by ISIC's rules: grey above 128 is lesion, each at the truth's own size.

    Args:
        predictions: Masks that some program made.
        truths: The true masks; `X_segmentation.png`, `X_mask.png` and `X.png` all belong to the id X.
        progress: Who listens.

    Returns:
        A score for every true mask. Where the prediction is missing, cannot be read or is of another size, it counts as
        one in which nothing was found, and is named among the failures; so are predictions without a truth.

    Raises:
        UsageError: A folder is missing or empty, or two of its files have the same id.
    """
    predicted, true = _masks_by_id(predictions), _masks_by_id(truths)
    evaluation = Evaluation(str(predictions), str(truths))

    def score(name: str) -> tuple[ImageScore | None, Failure | None]:
        try:
            truth = read_mask(true[name])
        except BadFile as error:
            return None, Failure(error.path, error.reason)
        prediction, failure = np.zeros_like(truth), None
        try:
            if name not in predicted:
                raise BadFile(true[name], "there is no prediction for it")
            found = read_mask(predicted[name])
            if found.shape != truth.shape:
                height, width = truth.shape
                raise BadFile(predicted[name], f"{found.shape[1]}×{found.shape[0]} pixels, its truth {width}×{height}")
            prediction = found
        except BadFile as error:
            failure = Failure(error.path, error.reason)
        return ImageScore(name, truths.name, count(prediction, truth)), failure

    names = sorted(true)
    for result, failure in track(progress or Silent(), parallel_map(score, names), "scoring", len(names)):
        if failure is not None:
            evaluation.failures.append(failure)
        if result is not None:
            evaluation.add(result)
    evaluation.failures += [
        Failure(predicted[name], "a prediction without a truth") for name in sorted(predicted.keys() - true.keys())
    ]
    return evaluation


def _masks_by_id(folder: Path) -> dict[str, Path]:
    paths = list_images(folder)
    if not paths:
        raise UsageError(f"{folder} holds no masks")
    name, times = Counter(mask_id(path) for path in paths).most_common(1)[0]
    if times > 1:
        raise UsageError(f"{folder} holds {times} masks of '{name}'", hint="keep one of them")
    return {mask_id(path): path for path in paths}
