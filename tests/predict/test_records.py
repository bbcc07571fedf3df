"""A prediction is a flat row whose columns are known before there is one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lesionctl.imaging.measures import Measures
from lesionctl.predict.records import COLUMNS, Prediction

FOUND = Prediction(
    image=Path("scans/a.jpg"),
    mask=Path("masks/a_segmentation.png"),
    overlay=None,
    probabilities=None,
    width=600,
    height=400,
    measures=Measures(
        lesion_pixels=24000,
        lesion_percent=10.0,
        regions=1,
        bounding_box=(100, 50, 300, 190),
        centroid=(200.04, 120.06),
        diameter=210.449,
        asymmetry=0.123456,
        border_irregularity=1.234567,
        colours=("light brown", "black"),
    ),
    confidence=0.98765,
    flags=("touches the border",),
    seconds=0.0123456,
    model="lesion-s",
    model_digest="ab" * 32,
    threshold=0.5,
)
NOTHING = replace(FOUND, measures=Measures(0, 0.0, 0, None, None, None, None, None, None), confidence=None, flags=())


@pytest.mark.parametrize("prediction", [FOUND, NOTHING])
def test_keys_are_the_columns_in_order_and_all_values_are_json(prediction):
    row = prediction.to_dict()
    assert tuple(row) == COLUMNS
    assert json.loads(json.dumps(row)) == row
    assert not any(isinstance(value, dict) for value in row.values())


def test_row_of_a_lesion():
    row = FOUND.to_dict()
    assert (row["image"], row["mask"], row["overlay"]) == ("scans/a.jpg", "masks/a_segmentation.png", None)
    assert [row[side] for side in ("left", "top", "right", "bottom")] == [100, 50, 300, 190]
    assert (row["centroid_x"], row["centroid_y"], row["diameter"]) == (200.0, 120.1, 210.4)
    assert (row["asymmetry"], row["border_irregularity"]) == (0.1235, 1.2346)
    assert (row["colour_count"], row["colours"]) == (2, ["light brown", "black"])
    assert (row["confidence"], row["flags"], row["seconds"]) == (0.9877, ["touches the border"], 0.0123)


def test_what_does_not_exist_is_null_and_not_zero():
    row = NOTHING.to_dict()
    assert (row["lesion_pixels"], row["lesion_percent"], row["regions"], row["flags"]) == (0, 0, 0, [])
    start, end = COLUMNS.index("left"), COLUMNS.index("colours")
    assert [row[name] for name in COLUMNS[start : end + 1]] == [None] * 11
    assert row["confidence"] is None


@pytest.mark.parametrize("prediction", [FOUND, NOTHING])
def test_a_row_is_read_back_as_it_was_written(prediction):
    row = prediction.to_dict()
    back = Prediction.from_dict(json.loads(json.dumps(row)))
    assert back.to_dict() == row
    assert (back.image, back.measures.bounding_box, back.flags) == (
        prediction.image, prediction.measures.bounding_box, prediction.flags,
    )  # fmt: skip


def test_what_was_not_measured_is_null_and_not_zero():
    row = replace(FOUND, measures=None).to_dict()
    assert tuple(row) == COLUMNS
    measured = COLUMNS[COLUMNS.index("lesion_pixels") : COLUMNS.index("colours") + 1]
    assert {row[name] for name in measured} == {None}
    assert Prediction.from_dict(row).measures is None
