"""What a script demands is what it gets, or exit code 4."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from lesionctl.errors import GateError, UsageError
from lesionctl.evaluate.demands import Demand, check, check_measured
from lesionctl.scoring.bootstrap import Estimate
from lesionctl.scoring.tolerance import DEFAULT_TOLERANCES


def found(per_image=None, pooled=None, probabilities=None):
    """An analysis with these figures of its first side, and better ones of its second."""
    first = SimpleNamespace(
        name="run",
        per_image={name: Estimate(value, None, None) for name, value in (per_image or {}).items()},
        pooled={name: Estimate(value, None, None) for name, value in (pooled or {}).items()},
        probabilities={name: Estimate(value, None, None) for name, value in (probabilities or {}).items()},
    )
    return SimpleNamespace(summaries=[first, SimpleNamespace(name="other")])


@pytest.mark.parametrize(
    ("text", "demand"),
    [
        ("dice=0.88", Demand("dice", 0.88)),
        ("f1=0.88", Demand("dice", 0.88)),
        ("pooled.iou = 1", Demand("jaccard", 1, pooled=True)),
        ("Sensitivity=0", Demand("recall", 0)),
        ("auc=0.9", Demand("roc_auc", 0.9)),
        ("nsd_2%=.5", Demand("nsd_2pct", 0.5)),
        ("boundary_iou=0.5", Demand("boundary_iou", 0.5)),
    ],
)
def test_how_people_write_a_demand(text, demand):
    assert Demand.parse(text) == demand


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("dice", "from 0 to 1", "dice=0.88"),
        ("dice=high", "from 0 to 1", "dice=0.88"),
        ("dice=88", "from 0 to 1", "dice=0.88"),
        ("dice=nan", "from 0 to 1", "dice=0.88"),
        ("dice=-0.1", "from 0 to 1", "dice=0.88"),
        ("dics=0.8", "did you mean 'dice'", "dice=0.88"),
        ("=0.8", "no figure ''", "dice=0.88"),
        ("hd95=4", "the lower hd95 is, the better", "demand one of dice, jaccard"),
        ("hd95=0.5", "the lower hd95 is, the better", "demand one of dice, jaccard"),
        ("ece=0.1", "the lower expected_calibration_error", "roc_auc"),
        ("pooled.thresholded_jaccard=0.8", "all pixels pooled", "leave out 'pooled.'"),
        ("pooled.nsd_5px=0.8", "all pixels pooled", "leave out 'pooled.'"),
    ],
)
def test_what_cannot_be_demanded_is_refused(text, what, hint):
    with pytest.raises(UsageError) as caught:
        Demand.parse(text)
    assert what in caught.value.what
    assert hint in caught.value.hint


def test_what_is_not_measured_is_told_before_anything_is():
    with pytest.raises(UsageError, match="roc_auc cannot be demanded of masks"):
        check_measured([Demand("roc_auc", 0.9)], DEFAULT_TOLERANCES, of_model=False)
    with pytest.raises(UsageError, match="nsd_2pct is demanded and not measured") as caught:
        check_measured([Demand("nsd_2pct", 0.9)], DEFAULT_TOLERANCES, of_model=True)
    assert caught.value.hint == "add --tolerance 2%"
    measured = [Demand("roc_auc", 0.9), Demand("nsd_5px", 0.9), Demand("nsd_5pct", 0.9), Demand("dice", 0.9)]
    check_measured(measured, DEFAULT_TOLERANCES, of_model=True)


def test_what_is_reached_exactly_is_reached():
    figures = found({"dice": 0.88}, {"dice": 0.9}, {"roc_auc": 0.95})
    check([Demand("dice", 0.88), Demand("dice", 0.9, pooled=True), Demand("roc_auc", 0.95)], figures)
    check([], figures)


def test_every_figure_that_is_below_is_named():
    demands = [Demand("dice", 0.88), Demand("dice", 0.95, pooled=True), Demand("jaccard", 0.5)]
    with pytest.raises(GateError) as caught:
        check(demands, found({"dice": 0.871, "jaccard": 0.8}, {"dice": 0.9}))
    assert caught.value.what.splitlines() == [
        "run does not reach what --fail-under demands:",
        "  dice is 0.8710, and 0.88 is demanded",
        "  pooled.dice is 0.9000, and 0.95 is demanded",
    ]


def test_rounding_does_not_hide_what_is_missing():
    with pytest.raises(GateError, match=r"dice is 0\.87999, and 0\.88 is demanded"):
        check([Demand("dice", 0.88)], found({"dice": 0.87999}))


def test_what_is_no_number_or_was_not_measured_never_passes():
    with pytest.raises(GateError, match="dice is nan"):
        check([Demand("dice", 0.0)], found({"dice": math.nan}))
    with pytest.raises(GateError, match="roc_auc could not be measured"):
        check([Demand("roc_auc", 0.0)], found())
