"""The case table: every figure of the cases that scorers disagree on, worked out by hand by ISIC's rules.

ISIC's own scorer of segmentations takes what is above 128 in a mask file as lesion, and reports the plain mean over
pictures of accuracy, sensitivity, specificity, Jaccard, thresholded Jaccard and Dice. What has nothing to measure (no
lesion, no background, both masks empty) is 1. Precision, balanced accuracy and volumetric similarity are not among its
figures.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Pillow
from sklearn import metrics

from lesionctl.imaging.masks import encode_mask, read_mask
from lesionctl.scoring.counts import Counts, count
from lesionctl.scoring.overlap import FIGURES, pooled_figures
from lesionctl.scoring.scoreboard import Scoreboard

SIDE = 10  # the pictures of the table have 10 x 10 pixels

COLUMNS = (
    "jaccard",
    "thresholded_jaccard",
    "dice",
    "pixel_accuracy",
    "recall",
    "specificity",
    "precision",
    "balanced_accuracy",
    "volumetric_similarity",
)

RIGHT = (1,) * len(COLUMNS)

# Lesion pixels: in both masks, in the truth alone, in the prediction alone; then the figures in the order of COLUMNS.
TABLE = {
    "truth empty, prediction empty": ((0, 0, 0), RIGHT),
    "truth empty, prediction full": ((0, 0, 100), (0, 0, 0, 0, 1, 0, 0, 1 / 2, 0)),
    "truth full, prediction empty": ((0, 100, 0), (0, 0, 0, 0, 0, 1, 0, 1 / 2, 0)),
    "no negatives, all found": ((100, 0, 0), RIGHT),
    "no negatives, ten missed": ((90, 10, 0), (9 / 10, 9 / 10, 18 / 19, 9 / 10, 9 / 10, 1, 1, 19 / 20, 18 / 19)),
    "one pixel, found": ((1, 0, 0), RIGHT),
    "one pixel, the one beside it predicted": ((0, 1, 1), (0, 0, 0, 98 / 100, 0, 98 / 99, 0, 49 / 99, 1)),
    "truth empty, one pixel predicted": ((0, 0, 1), (0, 0, 0, 99 / 100, 1, 99 / 100, 0, 199 / 200, 0)),
    "one pixel, missed": ((0, 1, 0), (0, 0, 0, 99 / 100, 0, 1, 0, 1 / 2, 0)),
    "Jaccard exactly 0.65": (
        (13, 3, 4),
        (13 / 20, 13 / 20, 26 / 33, 93 / 100, 13 / 16, 20 / 21, 13 / 17, 593 / 672, 32 / 33),
    ),
    "Jaccard just below 0.65": ((64, 0, 35), (64 / 99, 0, 128 / 163, 65 / 100, 1, 1 / 36, 64 / 99, 37 / 72, 128 / 163)),
}


def draw(both, truth_alone, prediction_alone, side=SIDE):
    """A prediction and a truth with so many pixels of lesion, row by row from the top."""
    truth, prediction = np.zeros((2, side * side), bool)
    truth[: both + truth_alone] = True
    prediction[:both] = True
    prediction[both + truth_alone :][:prediction_alone] = True
    return prediction.reshape(side, side), truth.reshape(side, side)


def exactly(values):
    return pytest.approx(list(values), abs=1e-12, rel=0)


@pytest.mark.parametrize(("pixels", "expected"), TABLE.values(), ids=TABLE.keys())
def test_figures_of_the_case_table(tmp_path, pixels, expected):
    masks = []
    for number, drawn in enumerate(draw(*pixels)):
        path = tmp_path / f"{number}.png"
        path.write_bytes(encode_mask(drawn))
        masks.append(read_mask(path))
    counts = count(*masks)
    tp, fn, fp = pixels
    assert counts == Counts(tp=tp, fp=fp, fn=fn, tn=SIDE**2 - tp - fn - fp)
    assert [FIGURES[name](counts) for name in COLUMNS] == exactly(expected)


@pytest.mark.parametrize(
    ("pixels", "expected"), [((650_000, 350_000, 0), 0.65), ((649_999, 350_001, 0), 0), ((649_999, 350_000, 0), 0)]
)
def test_one_pixel_of_a_million_decides_at_065(pixels, expected):
    assert FIGURES["thresholded_jaccard"](count(*draw(*pixels, side=1000))) == expected


@pytest.fixture
def board():
    board = Scoreboard()
    for pixels, _ in TABLE.values():
        board.add(count(*draw(*pixels)))
    return board


def test_mean_over_the_pictures_of_the_table(board):
    sensitivity = 6 + 9 / 10 + 13 / 16
    specificity = 6 + 98 / 99 + 99 / 100 + 20 / 21 + 1 / 36
    sums = {
        "jaccard": 3 + 9 / 10 + 13 / 20 + 64 / 99,
        "thresholded_jaccard": 3 + 9 / 10 + 13 / 20,
        "dice": 3 + 18 / 19 + 26 / 33 + 128 / 163,
        "pixel_accuracy": 844 / 100,
        "recall": sensitivity,
        "specificity": specificity,
        "precision": 4 + 13 / 17 + 64 / 99,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "volumetric_similarity": 4 + 18 / 19 + 32 / 33 + 128 / 163,
    }
    figures = board.per_image()
    assert [figures[name] for name in sums] == exactly(total / 11 for total in sums.values())
    assert figures["jaccard"] == pytest.approx(10289 / 21780, abs=1e-12)  # 0.4724


def test_all_pixels_of_the_table_pooled(board):
    assert board.confusion() == Counts(tp=268, fp=141, fn=115, tn=576)  # of 1100
    expected = {
        "jaccard": 268 / 524,  # 0.5115, where the mean over pictures is 0.4724
        "dice": 536 / 792,
        "pixel_accuracy": 844 / 1100,  # pictures of one size: as the mean
        "recall": 268 / 383,
        "specificity": 576 / 717,
        "precision": 268 / 409,
    }
    figures = pooled_figures(board.confusion())
    assert [figures[name] for name in expected] == exactly(expected.values())


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_grey_values_above_128_are_lesion_in_prediction_and_truth(tmp_path, mode):
    # 127 and 128 are background, 129 is lesion: a pixel of each pair of levels, prediction by truth.
    levels = [127, 128, 129]
    prediction, truth = np.meshgrid(levels, levels)
    masks = []
    for name, grey in (("prediction", prediction), ("truth", truth)):
        Pillow.fromarray(grey.astype(np.uint8)).convert(mode).save(tmp_path / f"{name}.png")
        masks.append(read_mask(tmp_path / f"{name}.png"))
    counts = count(*masks)
    assert counts == Counts(tp=1, fp=2, fn=2, tn=4)
    expected = (1 / 5, 0, 1 / 3, 5 / 9, 1 / 3, 2 / 3, 1 / 3, 1 / 2, 1)
    assert [FIGURES[name](counts) for name in COLUMNS] == exactly(expected)


def test_a_picture_all_128_is_empty_and_all_129_full(tmp_path):
    for level in (128, 129):
        Pillow.new("L", (SIDE, SIDE), level).save(tmp_path / f"{level}.png")
    empty, full = (read_mask(tmp_path / f"{level}.png") for level in (128, 129))
    assert count(empty, full) == Counts(fn=100)
    assert count(full, full) == Counts(tp=100)
    assert FIGURES["jaccard"](count(empty, empty)) == 1


masks = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda shape: st.tuples(arrays(np.bool_, shape), arrays(np.bool_, shape))
)


@given(masks)
def test_counts_and_figures_agree_with_scikit_learn(pair):
    prediction, truth = pair
    counts, p, t = count(prediction, truth), prediction.ravel(), truth.ravel()
    tn, fp, fn, tp = metrics.confusion_matrix(t, p, labels=[False, True]).ravel()
    assert (counts.tp, counts.fp, counts.fn, counts.tn) == (tp, fp, fn, tn)
    expected = {
        "jaccard": metrics.jaccard_score(t, p, zero_division=1.0),
        "dice": metrics.f1_score(t, p, zero_division=1.0),
        "recall": metrics.recall_score(t, p, zero_division=1.0),
        "specificity": metrics.recall_score(~t, ~p, zero_division=1.0),
        "precision": metrics.precision_score(t, p, zero_division=0.0 if t.any() else 1.0),
        "pixel_accuracy": metrics.accuracy_score(t, p),
    }
    assert [FIGURES[name](counts) for name in expected] == exactly(expected.values())


@given(masks)
def test_balanced_accuracy_agrees_with_scikit_learn_where_there_are_both_classes(pair):
    prediction, truth = pair
    assume(truth.any() and not truth.all())
    expected = metrics.balanced_accuracy_score(truth.ravel(), prediction.ravel())
    assert FIGURES["balanced_accuracy"](count(prediction, truth)) == pytest.approx(expected, abs=1e-12)
