"""The catalogue of figures has all that is computed, each under one name."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from lesionctl.scoring.boundary import boundary_figures
from lesionctl.scoring.figures import Better, Figure, figure, resolve_name, tolerance_of
from lesionctl.scoring.overlap import FIGURES
from lesionctl.scoring.tolerance import Tolerance

PROBABILITY = ("roc_auc", "average_precision", "brier", "expected_calibration_error")
BOUNDARY = tuple(
    boundary_figures(np.ones((3, 3), bool), np.ones((3, 3), bool), [Tolerance(2.5, "px"), Tolerance(10, "%")])
)
EVERYTHING = (*FIGURES, *BOUNDARY, *PROBABILITY)
CITATIONS = {
    *("taha2015", "isic2018", "maierhein2024", "nikolov2021", "cheng2021", "hanley1982", "davis2006", "brier1950"),
    *("naeini2015", "dice1945", "jaccard1912"),
}


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_figure_is_described(name):
    described = figure(name)
    assert described.name == name
    assert described.citation in CITATIONS
    assert described.unit in ("", "px", "% of diameter")
    assert described.definition.endswith(".")
    assert described.label


def test_every_figure_has_a_label_of_its_own():
    assert len({figure(name).label for name in EVERYTHING}) == len(EVERYTHING)


def test_every_source_is_used():
    assert {figure(name).citation for name in EVERYTHING} == CITATIONS


def test_lower_is_better_for_distances_and_errors_alone():
    lower = {name for name in EVERYTHING if figure(name).better is Better.LOWER}
    assert lower == {"hd95", "hd95_percent", "assd", "assd_percent", "brier", "expected_calibration_error"}


def test_labels_and_units_of_tables():
    assert figure("dice").label == "Dice (F1)"
    assert figure("recall").label == "recall (sensitivity)"
    assert (figure("hd95").label, figure("hd95").unit) == ("HD95", "px")
    assert (figure("hd95_percent").label, figure("hd95_percent").unit) == ("relative HD95", "% of diameter")


def test_surface_dice_at_any_tolerance():
    assert figure("nsd_2.5px") == Figure(
        "nsd_2.5px",
        "NSD at 2.5 px",
        Better.HIGHER,
        "",
        "The share of both boundaries' pixels that are no farther than 2.5 px from the other boundary.",
        "nikolov2021",
    )
    assert figure("nsd_2pct").label == "NSD at 2 %"
    assert "no farther than 2 % of the diameter of the disc" in figure("nsd_2pct").definition


def test_a_surface_dice_and_no_other_figure_has_a_tolerance():
    assert (tolerance_of("nsd_2.5px"), tolerance_of("nsd_2pct")) == (Tolerance(2.5, "px"), Tolerance(2, "%"))
    assert tolerance_of("hd95") is None


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("f1", "dice"),
        ("F1", "dice"),
        ("iou", "jaccard"),
        ("IoU", "jaccard"),
        ("sensitivity", "recall"),
        ("accuracy", "pixel_accuracy"),
        ("auc", "roc_auc"),
        ("ECE", "expected_calibration_error"),
        ("HD95", "hd95"),
        ("boundary-iou", "boundary_iou"),
        ("Boundary IoU", "boundary_iou"),
        ("nsd_5px", "nsd_5px"),
        ("nsd_5.0px", "nsd_5px"),
        ("NSD_2%", "nsd_2pct"),
        *((name, name) for name in EVERYTHING),
    ],
)
def test_names_as_people_write_them(written, name):
    assert resolve_name(written) == name
    assert figure(written).name == name


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("dise", "there is no figure 'dise': did you mean 'dice'"),
        ("jacard", "did you mean 'jaccard'"),
        ("hd59", "did you mean 'hd95'"),
        ("sensitivty", "did you mean 'sensitivity'"),
        ("nonsense", "there is no figure 'nonsense': known: dice, jaccard, .*, nsd_5px, nsd_5pct"),
        ("nsd_five", "'nsd_five' names no tolerance: write nsd_5px or nsd_2pct"),
        ("nsd_5", "'nsd_5' names no tolerance"),
    ],
)
def test_unknown_names_are_refused_with_near_ones(written, message):
    for function in (resolve_name, figure):
        with pytest.raises(ValueError, match=message):
            function(written)


def test_names_are_checked_without_loading_what_computes():
    code = (
        "import sys, lesionctl.scoring.figures, lesionctl.scoring.overlap\n"
        "print([name for name in ('cv2', 'numpy', 'scipy') if name in sys.modules])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"
