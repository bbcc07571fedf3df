"""The catalogue of figures: what each is called, which way is better, what it means and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lesionctl.errors import did_you_mean
from lesionctl.scoring.tolerance import DEFAULT_TOLERANCES, Tolerance


class Better(StrEnum):
    """Which of two values of a figure is the better one."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True)
class Figure:
    """A figure, as tables and reports present it.

    Attributes:
        name: What it is called in JSON, CSV and options.
        label: What it is called in tables; no two figures share one.
        better: Which way is better.
        unit: "px", "% of diameter" or nothing.
        definition: One sentence, for a report.
        citation: The key of its source in the table of citations.
    """

    name: str
    label: str
    better: Better
    unit: str
    definition: str
    citation: str


_PERCENT = "% of diameter"
_DIAMETER = "the diameter of the disc that is as large as the true lesion"

_FIGURES = {
    name: Figure(name, label, better, unit, definition, citation)
    for name, label, better, unit, definition, citation in (
        (
            "dice",
            "Dice (F1)",
            Better.HIGHER,
            "",
            "Twice the pixels that both masks call lesion, divided by the sum of both areas: 2TP / (2TP + FP + FN).",
            "dice1945",
        ),
        (
            "jaccard",
            "Jaccard (IoU)",
            Better.HIGHER,
            "",
            "The pixels that both masks call lesion, divided by those that either does: TP / (TP + FP + FN).",
            "jaccard1912",
        ),
        (
            "thresholded_jaccard",
            "thresholded Jaccard",
            Better.HIGHER,
            "",
            "The Jaccard index of a picture where it is at least 0.65, and 0 where it is below (ISIC 2018's ranking).",
            "isic2018",
        ),
        (
            "precision",
            "precision",
            Better.HIGHER,
            "",
            "The share of the predicted lesion that is lesion: TP / (TP + FP).",
            "taha2015",
        ),
        (
            "recall",
            "recall (sensitivity)",
            Better.HIGHER,
            "",
            "The share of the true lesion that was found: TP / (TP + FN).",
            "taha2015",
        ),
        (
            "specificity",
            "specificity",
            Better.HIGHER,
            "",
            "The share of the true background that was left alone: TN / (TN + FP).",
            "taha2015",
        ),
        (
            "pixel_accuracy",
            "pixel accuracy",
            Better.HIGHER,
            "",
            "The share of pixels that are right: (TP + TN) / (TP + FP + FN + TN).",
            "taha2015",
        ),
        (
            "balanced_accuracy",
            "balanced accuracy",
            Better.HIGHER,
            "",
            "The mean of sensitivity and specificity.",
            "taha2015",
        ),
        (
            "volumetric_similarity",
            "volumetric similarity",
            Better.HIGHER,
            "",
            "How alike the areas of both lesions are, wherever they lie: 1 - |FN - FP| / (2TP + FP + FN).",
            "taha2015",
        ),
        (
            "hd95",
            "HD95",
            Better.LOWER,
            "px",
            "The larger of the two directed 95th percentiles of the distances between both boundaries.",
            "maierhein2024",
        ),
        (
            "hd95_percent",
            "relative HD95",
            Better.LOWER,
            _PERCENT,
            f"HD95 in per cent of {_DIAMETER}.",
            "maierhein2024",
        ),
        (
            "assd",
            "ASSD",
            Better.LOWER,
            "px",
            "Average symmetric surface distance: the mean distance of both boundaries' pixels from the other boundary.",
            "maierhein2024",
        ),
        (
            "assd_percent",
            "relative ASSD",
            Better.LOWER,
            _PERCENT,
            f"ASSD in per cent of {_DIAMETER}.",
            "maierhein2024",
        ),
        (
            "boundary_iou",
            "boundary IoU",
            Better.HIGHER,
            "",
            "The Jaccard index of the bands inside both outlines, 2 % of the picture's diagonal wide.",
            "cheng2021",
        ),
        (
            "roc_auc",
            "ROC AUC",
            Better.HIGHER,
            "",
            "The probability that a random lesion pixel was given a higher probability than a random background pixel.",
            "hanley1982",
        ),
        (
            "average_precision",
            "average precision",
            Better.HIGHER,
            "",
            "The area under the curve of precision by recall over all thresholds, summed in steps of recall.",
            "davis2006",
        ),
        (
            "brier",
            "Brier score",
            Better.LOWER,
            "",
            "The mean squared difference of a pixel's probability from 1 on the lesion and from 0 beside it.",
            "brier1950",
        ),
        (
            "expected_calibration_error",
            "calibration error (ECE)",
            Better.LOWER,
            "",
            "The mean difference, over pixels in bins of probability, of a bin's probability from its share of lesion.",
            "naeini2015",
        ),
    )
}

NAMES = tuple(_FIGURES)
"""The names of all figures but normalised surface Dice, which has one for each tolerance."""

_ALIASES = {
    "f1": "dice",
    "iou": "jaccard",
    "sensitivity": "recall",
    "accuracy": "pixel_accuracy",
    "auc": "roc_auc",
    "ece": "expected_calibration_error",
}

_SURFACE_DICE = "nsd_"


def figure(name: str) -> Figure:
    """What is to be said of a figure.

    Args:
        name: As in `resolve_name`.

    Raises:
        ValueError: There is no such figure.
    """
    name = resolve_name(name)
    return _surface_dice(_tolerance(name)) if name.startswith(_SURFACE_DICE) else _FIGURES[name]


def resolve_name(name: str) -> str:
    """The name of a figure by how people write it.

    Args:
        name: A figure's name, or another word for it ("f1", "iou", "sensitivity", "accuracy", "auc", "ece"), in capital
            or small letters; normalised surface Dice at any tolerance is "nsd_5px", "nsd_2pct" or "nsd_2%".

    Raises:
        ValueError: There is no such figure; near names are said.
    """
    wanted = name.strip().lower().replace("-", "_").replace(" ", "_")
    if wanted.startswith(_SURFACE_DICE):
        return _tolerance(wanted).name
    wanted = _ALIASES.get(wanted, wanted)
    if wanted in _FIGURES:
        return wanted
    known = [*_FIGURES, *(tolerance.name for tolerance in DEFAULT_TOLERANCES)]
    hint = did_you_mean(wanted, [*known, *_ALIASES], most=3, otherwise=f"known: {', '.join(known)}")
    raise ValueError(f"there is no figure '{name}': {hint}")


def tolerance_of(name: str) -> Tolerance | None:
    """The tolerance of a normalised surface Dice, by the figure's name; None of another figure."""
    return _tolerance(name) if name.startswith(_SURFACE_DICE) else None


def _tolerance(name: str) -> Tolerance:
    """The tolerance of `nsd_5px` or `nsd_2pct`."""
    try:
        return Tolerance.parse(name.removeprefix(_SURFACE_DICE).replace("pct", "%"))
    except ValueError as error:
        raise ValueError(f"'{name}' names no tolerance: write nsd_5px or nsd_2pct") from error


def _surface_dice(tolerance: Tolerance) -> Figure:
    of = "" if tolerance.unit == "px" else f" of {_DIAMETER}"
    definition = (
        f"The share of both boundaries' pixels that are no farther than {tolerance}{of} from the other boundary."
    )
    return Figure(tolerance.name, f"NSD at {tolerance}", Better.HIGHER, "", definition, "nikolov2021")
