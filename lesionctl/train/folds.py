"""Cross-validation: a model for every fold, and one decision for all of them on pictures that none has learned."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.torch

from lesionctl.atomic import write_text
from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import UsageError
from lesionctl.nets.model_file import load_model, save_model
from lesionctl.progress import Silent, track
from lesionctl.runtime.device import choose_compute
from lesionctl.runtime.torch_segmenter import TorchSegmenter
from lesionctl.runtime.world import find_world
from lesionctl.scoring.counts import count
from lesionctl.scoring.overlap import FIGURES
from lesionctl.train.decision import choose_decision
from lesionctl.train.limits import choose_confidence_limit
from lesionctl.train.loop import train
from lesionctl.train.options import Resume, TrainOptions
from lesionctl.train.start import check_ancestors
from lesionctl.train.state import identify_run
from lesionctl.train.validate import predict_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from lesionctl.dataset.store import Store
    from lesionctl.imaging.arrays import Mask, Probability
    from lesionctl.imaging.postprocess import Postprocess
    from lesionctl.progress import Progress

_FINISHED = "finished.json"
_SHOWN = ("dice", "jaccard", "thresholded_jaccard")


@dataclass(frozen=True)
class FoldScores:
    """A fold's model on the pictures that it has not learned, with the decision that all folds share.

    Attributes:
        model: Its file.
        pictures: How many pictures it was validated on.
        figures: Per-image mean of each overlap figure, at the store's resolution.
    """

    model: Path
    pictures: int
    figures: dict[str, float]


@dataclass(frozen=True)
class FoldsResult:
    """What came of a cross-validation.

    Attributes:
        out: The directory of the folds, which `predict` and `eval` take as an ensemble.
        folds: Each fold.
        threshold: The threshold of every model.
        postprocess: What is done to every model's masks.
        figures: Per-image mean of each overlap figure over all pictures, each by the model that has not learned it.
        remark: What must be said beside the figures; often nothing.
    """

    out: Path
    folds: tuple[FoldScores, ...]
    threshold: float
    postprocess: Postprocess
    figures: dict[str, float]
    remark: str

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms."""
        return {
            "out": str(self.out),
            "threshold": self.threshold,
            "postprocess": asdict(self.postprocess),
            "out_of_fold_per_image_mean": self.figures,
            "folds": [
                {"model": str(fold.model), "n": fold.pictures, "per_image_mean": fold.figures} for fold in self.folds
            ],
            "remark": self.remark,
        }

    def mean(self, figure: str) -> float:
        """Mean of a figure over the folds, each counted alike."""
        return float(np.mean([fold.figures[figure] for fold in self.folds]))

    def deviation(self, figure: str) -> float:
        """Standard deviation of a figure between the folds (of a sample: K - 1)."""
        return float(np.std([fold.figures[figure] for fold in self.folds], ddof=1))


def train_folds(
    store_path: Path,
    out: Path,
    options: TrainOptions,
    resume: Resume = Resume.AUTO,
    progress: Progress | None = None,
    *,
    folds: int | None = None,
) -> FoldsResult | None:
    """Train a model on every fold of a set; the same command goes on where it stopped, and finished folds stand.

    Threshold, post-processing and the confidence limit are chosen on the validation pictures of all folds together,
    each predicted by the model that has not learned it, and written into every model.

    Args:
        store_path: A set that was prepared with folds.
        out: Gets a run directory `fold-0`, `fold-1`, … each, `cross-validation.csv` with a row for each fold, and
            `out-of-fold.csv` with a row for each picture.
        options: How; `fold` is None.
        resume: What to do with folds that `out` already holds.
        progress: Who listens.
        folds: How many folds a person expects; None: as many as there are.

    Returns:
        What came of it; None in every process but the first, which alone writes.

    Raises:
        UsageError: The set has no folds, or other ones, or `resume` does not allow what `out` holds.
        GateError: The model to start from, or a teacher, has seen validation pictures of a fold.
        Interrupted: A signal asked to stop; the state is saved.
        LesionctlError: See `train`.
    """
    world = find_world(os.environ)
    first = world is None or world.rank == 0
    progress = progress if progress and first else Silent()
    store = open_store(store_path)
    _check(store, out, options, resume, folds)

    runs = [out / f"fold-{fold}" for fold in range(store.info.folds)]
    plans = [replace(options, fold=fold) for fold in range(store.info.folds)]
    for fold, plan in enumerate(plans):  # the last fold's pictures too, before the first is trained
        check_ancestors(plan, store.at_fold(fold), Silent())
    remarks = [_remark_of_finished(run, plan, store) for run, plan in zip(runs, plans, strict=True)]
    for fold, (run, plan) in enumerate(zip(runs, plans, strict=True)):
        if remarks[fold] is not None:
            progress.say(f"fold {fold} (of 0 to {len(runs) - 1}) is trained already")
            continue
        progress.say(f"training fold {fold} (of 0 to {len(runs) - 1})")
        result = train(store_path, run, plan, Resume.AUTO, progress)
        if result is not None:
            remarks[fold] = result.remark
            finished = {"run": identify_run(plan, store.info, 1), "remark": result.remark}
            write_text(run / _FINISHED, json.dumps(finished, indent=2) + "\n")
    if not first:
        return None
    remark = "; ".join(f"fold {fold}: {text}" for fold, text in enumerate(remarks) if text)
    return _decide(store, out, runs, options, remark, progress)


def _check(store: Store, out: Path, options: TrainOptions, resume: Resume, folds: int | None) -> None:
    there = store.info.folds
    if not there or (folds is not None and folds != there):
        has = f"has {there} folds" if there else "has no folds"
        wanted = f", not {folds}" if folds and there else ""
        raise UsageError(
            f"{store.path} {has}{wanted}",
            hint=f"prepare it with: lesionctl prepare … --folds {folds or 5}"
            + (f", or train with --folds {there}" if there else ""),
        )
    if options.fold is not None:
        raise UsageError("--fold and --folds exclude each other", hint="--folds trains every fold")
    begun = [path for path in (out / f"fold-{fold}" for fold in range(there)) if path.exists()]
    if resume is Resume.NEVER and begun:
        raise UsageError(f"{begun[0]} stands already", hint="choose another --out, or leave out --resume never")
    if resume is Resume.MUST and not begun:
        raise UsageError(f"{out} holds no fold to go on with", hint="leave out --resume must to begin")


def _remark_of_finished(run: Path, options: TrainOptions, store: Store) -> str | None:
    """What must be said of a fold that was trained to its end like this; None where it was not.

    Whatever else stands there, `train` knows what to do with.
    """
    try:
        finished: dict[str, Any] = json.loads((run / _FINISHED).read_text())
        same = json.dumps(finished["run"]) == json.dumps(identify_run(options, store.info, 1))
        return str(finished["remark"]) if same and (run / "model.safetensors").is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _decide(
    store: Store, out: Path, runs: Sequence[Path], options: TrainOptions, remark: str, progress: Progress
) -> FoldsResult:
    """Choose threshold and post-processing for all folds together, and write them and the scores down."""
    compute = choose_compute(options.device, options.precision)
    models = [run / "model.safetensors" for run in runs]
    segmenters = [TorchSegmenter(*load_model(model), compute) for model in models]
    rows = [store.at_fold(fold).rows(Split.VALIDATION) for fold in range(len(runs))]

    def predictions() -> Iterator[tuple[Probability, Mask]]:
        for segmenter, some in zip(segmenters, rows, strict=True):
            yield from predict_rows(segmenter, store, some)

    with progress.task("choosing threshold and post-processing for all folds"):
        decision = choose_decision(predictions)
        limit = choose_confidence_limit(predictions(), decision.threshold, decision.postprocess)
    everything = [(fold, int(row)) for fold, some in enumerate(rows) for row in some]
    counts = [
        count(decision.postprocess.apply(probability > decision.threshold), truth)
        for probability, truth in track(progress, predictions(), "scoring all folds", len(everything))
    ]
    figures = {name: np.array([figure(counted) for counted in counts]) for name, figure in FIGURES.items()}
    fold_of = np.array([fold for fold, _ in everything])

    folds = []
    overall = {name: float(values.mean()) for name, values in figures.items()}
    where = f"{store.info.size} px" + (f" ({remark})" if remark else "")
    across = f"out of fold in {len(runs)} folds, per-image mean"
    for fold, (model, segmenter) in enumerate(zip(models, segmenters, strict=True)):
        own = {name: float(values[fold_of == fold].mean()) for name, values in figures.items()}
        folds.append(FoldScores(model, len(rows[fold]), own))
        scores = {
            **{f"validation split, per-image mean {name}, {where}": value for name, value in own.items()},
            **{f"{across} {name}, {where}": value for name, value in overall.items()},
        }
        spec = replace(segmenter.spec, threshold=decision.threshold, postprocess=decision.postprocess, scores=scores)
        spec = replace(spec, confidence_limit=limit)
        save_model(model, spec, safetensors.torch.load_file(model))
    result = FoldsResult(out, tuple(folds), decision.threshold, decision.postprocess, overall, remark)
    write_text(out / "out-of-fold.csv", _csv(_picture_rows(store, everything, figures)))
    write_text(out / "cross-validation.csv", _csv(_fold_rows(result)))
    return result


def _picture_rows(
    store: Store, everything: Sequence[tuple[int, int]], figures: dict[str, Any]
) -> Iterator[list[object]]:
    yield ["id", "source", "fold", "dice", "jaccard"]
    for number, (fold, row) in enumerate(everything):
        sample = store.samples[row]
        scores = (round(float(figures[name][number]), 6) for name in ("dice", "jaccard"))
        yield [sample.id, sample.source, fold, *scores]


def _fold_rows(result: FoldsResult) -> Iterator[list[object]]:
    yield ["fold", "n", *_SHOWN]
    for number, fold in enumerate(result.folds):
        yield [number, fold.pictures, *(round(fold.figures[name], 6) for name in _SHOWN)]
    pictures = sum(fold.pictures for fold in result.folds)
    yield ["mean", pictures, *(round(result.mean(name), 6) for name in _SHOWN)]
    yield ["sd", pictures, *(round(result.deviation(name), 6) for name in _SHOWN)]


def _csv(rows: Iterable[list[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
