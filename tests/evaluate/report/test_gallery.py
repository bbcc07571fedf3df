"""Which pictures are shown, and how."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import pytest

from lesionctl.evaluate.report.choice import choose_pictures
from lesionctl.evaluate.report.gallery import PREDICTION, TRUTH, paint


def test_the_best_the_middle_the_worst_and_random_ones_are_chosen():
    dices = [number / 20 for number in range(20)]
    best, middle, worst, drawn = choose_pictures(dices, seed=0)
    assert best.rows == (19, 18, 17, 16)
    assert middle.rows == (11, 10, 9, 8)  # ranks 8 to 11 of 20
    assert worst.rows == (0, 1, 2, 3)
    assert len(set(drawn.rows)) == 4


def test_random_pictures_are_those_of_the_seed():
    dices = [0.5] * 100
    first, again, other = (choose_pictures(dices, seed)[-1].rows for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_of_equals_the_earlier_is_taken_for_the_better():
    best, _, worst, _ = choose_pictures([0.5] * 20, seed=0)
    assert best.rows == (0, 1, 2, 3)
    assert worst.rows == (19, 18, 17, 16)


@pytest.mark.parametrize("n", [1, 3, 16])
def test_few_pictures_are_all_shown_once(n):
    (group,) = choose_pictures([0.1 * (number % 7) for number in range(n)], seed=0)
    assert sorted(group.rows) == list(range(n))
    assert group.title == "All pictures, the best first"


def _colours(image):
    return {name: (np.abs(image.astype(int) - colour).sum(-1) < 60) for name, colour in _NAMED.items()}


_NAMED = {"truth": TRUTH, "prediction": PREDICTION}


@pytest.mark.parametrize("image", [None, np.full((100, 200, 3), 180, np.uint8)])
def test_truth_and_prediction_are_outlined_where_they_are(image):
    truth, prediction = np.zeros((2, 100, 200), bool)
    truth[20:80, 20:80] = True
    prediction[20:80, 120:180] = True
    painted = paint(image, truth, prediction, 400)
    assert painted.shape == (200, 400, 3)
    found = _colours(painted)
    for name, left in (("truth", 40), ("prediction", 240)):
        at = np.flatnonzero(found[name].any(axis=0))
        assert abs(at[0] - left) <= 3
        assert abs(at[-1] - (left + 120)) <= 3


def test_a_picture_without_prediction_shows_the_truth_alone():
    truth = np.zeros((50, 50), bool)
    truth[10:40, 10:40] = True
    found = _colours(paint(None, truth, np.zeros_like(truth), 100))
    assert found["truth"].any()
    assert not found["prediction"].any()


def test_every_picture_is_there_by_every_side_with_its_figures_and_words(by_hand, document_of):
    document = document_of(*by_hand({"a": [0, 5, None], "b": [1, 1, 1]}), painted=True)
    (gallery,) = next(section for section in document.sections if section.id == "pictures").blocks
    assert [exhibit.id for exhibit in gallery.exhibits] == ["picture 0", "picture 1", "picture 2"]
    best, middle, failed = gallery.exhibits
    assert best.paintings[0].scores == "Dice 1.000 · Jaccard 1.000 · HD95 2.0 px"
    assert middle.paintings[0].scores == "Dice 0.500 · Jaccard 0.333 · HD95 2.0 px"
    assert middle.paintings[1].scores == "Dice 0.900 · Jaccard 0.818 · HD95 2.0 px"
    assert failed.paintings[0].scores == "no prediction that could be used"
    assert middle.paintings[0].alt == (
        "Masks of picture 1 on a plain ground with the true outline and that of a. The true lesion covers 50.0 % of "
        "it, the predicted one 50.0 %. Dice 0.500 · Jaccard 0.333 · HD95 2.0 px."
    )
    assert "a has no prediction that could be used" in failed.paintings[0].alt
    content = base64.b64decode(best.paintings[0].source.partition(",")[2])
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == (best.paintings[0].height, best.paintings[0].width, 3) == (220, 440, 3)


def test_without_painting_nobody_is_asked_again(by_hand, document_of, monkeypatch):
    analysis, sides = by_hand({"a": [0, 5]})
    monkeypatch.setattr(sides[0], "answer", lambda case: pytest.fail(f"asked for {case}"))
    document = document_of(analysis, sides)
    (gallery,) = next(section for section in document.sections if section.id == "pictures").blocks
    assert [exhibit.paintings[0].source for exhibit in gallery.exhibits] == ["", ""]
