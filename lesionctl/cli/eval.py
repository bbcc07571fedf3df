"""`lesionctl eval`: score a model on a prepared set, or a folder of masks against another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lesionctl.cli.options import Device, Json, PrecisionOption, option, terminal_of
from lesionctl.errors import SomeInputsFailed, UsageError
from lesionctl.evaluate.leak_gate import WhenSeen
from lesionctl.paths import DEFAULT_MODEL
from lesionctl.runtime.precision import Precision

if TYPE_CHECKING:
    from lesionctl.cli.terminal import Terminal
    from lesionctl.evaluate.evaluation import Evaluation


def evaluate(
    context: typer.Context,
    models_and_store: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL...] STORE",
            help=f"A model ({DEFAULT_MODEL} by default), or several that answer together, and a prepared set.",
        ),
    ] = None,
    against: Annotated[
        str | None, option(metavar="MODEL", help="Score this one on the same pictures too, and compare the two.")
    ] = None,
    split: Annotated[str, option(help="train, val or test.")] = "test",
    fold: Annotated[int | None, option(help="Take the splits of this fold of a set that has folds.")] = None,
    seen: Annotated[
        WhenSeen,
        option(help="What to do where the test split holds pictures that the model has seen in training."),
    ] = WhenSeen.REFUSE,
    pred: Annotated[Path | None, option(metavar="DIR", help="Masks that any program made; with --truth.")] = None,
    truth: Annotated[Path | None, option(metavar="DIR", help="The true masks.")] = None,
    csv: Annotated[
        Path | None, option(metavar="FILE", help="Write a row for each picture, with the figures of MODEL.")
    ] = None,
    device: Device = "auto",
    precision: PrecisionOption = Precision.AUTO,
    as_json: Json = False,
) -> None:
    """Score masks by ISIC's rules, at the true masks' own size, per image and pooled.

    Test pictures that the model has seen in training are refused with exit code 4, or as --seen says.

    Example: lesionctl eval demo.store

    Example: lesionctl eval new-run demo.store --against old-run

    Example: lesionctl eval --pred masks --truth demo/masks --csv scores.csv
    """
    terminal = terminal_of(context)
    *models, store = models_and_store or [""]
    names = [" + ".join(models) or DEFAULT_MODEL, against or ""]
    other = None
    if pred is not None and truth is not None and not store and fold is None and against is None:
        from lesionctl.evaluate.folders import evaluate_folders

        evaluation = evaluate_folders(pred, truth, terminal)
    elif pred is None and truth is None and store:
        sides = [models or [DEFAULT_MODEL], *([[against]] if against else [])]
        evaluation, *others = _evaluate_store(sides, Path(store), split, fold, seen, device, precision, terminal)
        other = next(iter(others), None)
    else:
        raise UsageError("name a STORE, a MODEL and a STORE, or --pred DIR --truth DIR")

    if csv is not None:
        from lesionctl.atomic import write_text

        write_text(csv, evaluation.to_csv())
    if as_json:
        terminal.json(evaluation.to_dict() | ({} if other is None else _comparison_in_json(evaluation, other)))
    else:
        _show(evaluation, terminal)
        if other is not None:
            _show_comparison(evaluation, other, names, terminal)
    if evaluation.failures:
        raise SomeInputsFailed(evaluation.failures, len(evaluation.images))


def _evaluate_store(
    sides: list[list[str]],
    path: Path,
    split: str,
    fold: int | None,
    seen: WhenSeen,
    device: str,
    precision: Precision,
    terminal: Terminal,
) -> list[Evaluation]:
    from lesionctl.dataset.samples import Split
    from lesionctl.dataset.store import open_store
    from lesionctl.evaluate.model import evaluate_models
    from lesionctl.runtime.load import load_segmenter

    if split not in list(Split):
        raise UsageError(f"there is no split '{split}'", hint="use train, val or test")
    store = open_store(path)
    segmenters = [load_segmenter(models, device, precision) for models in sides]
    return evaluate_models(segmenters, store, Split(split), fold=fold, when_seen=seen, progress=terminal)


def _show(evaluation: Evaluation, terminal: Terminal) -> None:
    board = evaluation.board
    per_image, pooled = board.per_image(), board.pooled()
    rows = [
        [name.replace("_", " "), f"{value:.4f}", f"{pooled[name]:.4f}" if name in pooled else "–"]
        for name, value in per_image.items()
    ]
    auc = board.roc_auc()
    rows.append(["ROC AUC of pixels", "–", "–" if auc is None else f"{auc:.4f}"])
    title = f"{evaluation.prediction} on {evaluation.truth}: {len(board)} pictures at the masks' own size"
    if evaluation.origin and evaluation.origin.remark():
        title += f" ({evaluation.origin.remark()})"
    terminal.table(title, ["figure", "mean per image", "all pixels pooled"], rows)

    confusion = board.confusion()
    total = max(1, confusion.tp + confusion.fp + confusion.fn + confusion.tn)
    terminal.table(
        "confusion matrix, share of all pixels",
        ["", "predicted lesion", "predicted background"],
        [
            ["true lesion", f"{confusion.tp / total:.4%}", f"{confusion.fn / total:.4%}"],
            ["true background", f"{confusion.fp / total:.4%}", f"{confusion.tn / total:.4%}"],
        ],
    )
    sources = evaluation.by_source()
    if len(sources) > 1:
        names = ["dice", "jaccard", "thresholded_jaccard"]
        terminal.table(
            "by source, mean per image",
            ["source", "pictures", *(name.replace("_", " ") for name in names)],
            [
                [source, str(len(part)), *(f"{part.per_image()[name]:.4f}" for name in names)]
                for source, part in sources.items()
            ],
        )


def _comparison_in_json(evaluation: Evaluation, other: Evaluation) -> dict[str, Any]:
    from lesionctl.evaluate.comparison import compare

    return {"comparison": {**compare(evaluation, other).to_dict(), "against": other.to_dict()}}


def _show_comparison(evaluation: Evaluation, other: Evaluation, names: list[str], terminal: Terminal) -> None:
    from lesionctl.evaluate.comparison import compare

    comparison = compare(evaluation, other)
    ours, theirs = evaluation.board.per_image(), other.board.per_image()
    rows = [
        [name.replace("_", " "), f"{ours[name]:.4f}", f"{theirs[name]:.4f}", f"{difference:+.4f}"]
        for name, difference in comparison.differences.items()
    ]
    title = f"both on the same {len(evaluation.images)} pictures, mean per image"
    if other.origin and other.origin.remark():
        title += f" ({names[1]}: {other.origin.remark()})"
    terminal.table(title, ["figure", *names, "difference"], rows)
    terminal.table(
        "pictures by Dice",
        [f"{names[0]} better", "equal", f"{names[1]} better"],
        [[str(comparison.better), str(comparison.equal), str(comparison.worse)]],
    )
