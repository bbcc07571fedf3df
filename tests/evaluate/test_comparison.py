"""Two evaluations side by side: by figure, and picture by picture."""

from __future__ import annotations

import pytest

from lesionctl.evaluate.comparison import compare
from lesionctl.evaluate.evaluation import Evaluation, ImageScore
from lesionctl.scoring.counts import Counts

RIGHT = Counts(tp=10, tn=90)  # Dice 1
HALF = Counts(tp=10, fp=10, fn=10, tn=70)  # Dice 1/2, Jaccard 1/3
THIRD = Counts(tp=10, fp=20, fn=20, tn=50)  # Dice 1/3, Jaccard 1/5
ALSO_THIRD = Counts(tp=1, fp=4, tn=95)  # Dice 1/3 too, recall 1


def evaluation(*counts):
    made = Evaluation("model", "store")
    for number, counted in enumerate(counts):
        made.add(ImageScore(str(number), "set", counted))
    return made


def test_worked_example():
    comparison = compare(evaluation(RIGHT, HALF, THIRD, HALF), evaluation(HALF, THIRD, ALSO_THIRD, RIGHT))
    assert (comparison.better, comparison.equal, comparison.worse) == (2, 1, 1)
    assert comparison.differences["dice"] == pytest.approx((1 / 2 + 1 / 6 + 0 - 1 / 2) / 4)
    assert comparison.differences["jaccard"] == pytest.approx((2 / 3 + (1 / 3 - 1 / 5) + 0 - 2 / 3) / 4)
    assert comparison.differences["recall"] == pytest.approx((1 / 2 + 1 / 6 - 2 / 3 - 1 / 2) / 4)
    assert comparison.to_dict() == {
        "per_image_mean_difference": comparison.differences,
        "pictures_by_dice": {"better": 2, "equal": 1, "worse": 1},
    }


def test_the_other_way_round_has_the_other_sign():
    one, other = evaluation(RIGHT, HALF), evaluation(HALF, HALF)
    forth, back = compare(one, other), compare(other, one)
    assert (forth.better, forth.equal, forth.worse) == (1, 1, 0)
    assert (back.better, back.equal, back.worse) == (0, 1, 1)
    assert forth.differences == {name: -value for name, value in back.differences.items()}


def test_other_pictures_cannot_be_compared():
    with pytest.raises(ValueError, match="the same pictures"):
        compare(evaluation(RIGHT), evaluation(RIGHT, HALF))
