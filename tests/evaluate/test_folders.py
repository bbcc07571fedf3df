from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lesionctl.errors import UsageError
from lesionctl.evaluate.folders import evaluate_folders
from lesionctl.scoring.counts import Counts


def write(path, pixels):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.array(pixels, np.uint8)).save(path)


@pytest.fixture
def folders(tmp_path):
    return tmp_path / "pred", tmp_path / "truth"


def test_masks_of_any_program_are_scored_by_id(folders):
    pred, truth = folders
    write(truth / "A_segmentation.png", [[255, 255, 0, 0]])
    write(pred / "A.png", [[255, 0, 0, 0]])
    write(truth / "B_segmentation.png", [[0, 0, 0, 0]])
    write(pred / "B_mask.png", [[0, 0, 0, 0]])
    evaluation = evaluate_folders(pred, truth)
    assert evaluation.failures == []
    assert [image.counts for image in evaluation.images] == [Counts(1, 0, 1, 2), Counts(0, 0, 0, 4)]
    # A: Dice 2/3, Jaccard 1/2; B is empty in both: 1. Pooled: tp 1, fn 1, tn 6.
    assert evaluation.board.per_image()["dice"] == pytest.approx((2 / 3 + 1) / 2)
    assert evaluation.board.per_image()["thresholded_jaccard"] == pytest.approx(0.5)
    assert evaluation.board.pooled()["dice"] == pytest.approx(2 / 3)
    assert evaluation.board.pooled()["pixel_accuracy"] == pytest.approx(7 / 8)
    assert evaluation.board.roc_auc() is None


def test_foreground_is_above_128(folders):
    pred, truth = folders
    write(truth / "A.png", [[255, 255, 0, 0]])
    write(pred / "A.png", [[129, 128, 128, 0]])
    assert evaluate_folders(pred, truth).images[0].counts == Counts(tp=1, fp=0, fn=1, tn=2)


def test_missing_unreadable_and_missized_predictions_count_as_nothing_found(folders):
    pred, truth = folders
    for name in "ABC":
        write(truth / f"{name}.png", [[255, 255, 0, 0]])
    (pred).mkdir()
    (pred / "B.png").write_bytes(b"")
    write(pred / "C.png", [[255, 255, 0]])
    write(pred / "D.png", [[255]])
    evaluation = evaluate_folders(pred, truth)
    assert [image.counts for image in evaluation.images] == [Counts(0, 0, 2, 2)] * 3
    reasons = [f"{failure.path.name}: {failure.reason}" for failure in evaluation.failures]
    assert reasons[0] == "A.png: there is no prediction for it"
    assert reasons[1].startswith("B.png: ")
    assert reasons[2] == "C.png: 3×1 pixels, its truth 4×1"
    assert reasons[3] == "D.png: a prediction without a truth"


def test_two_masks_of_one_id_are_refused(folders):
    pred, truth = folders
    write(truth / "A.png", [[255]])
    write(pred / "A.png", [[255]])
    write(pred / "A_mask.png", [[255]])
    with pytest.raises(UsageError, match="2 masks of 'A'"):
        evaluate_folders(pred, truth)


def test_csv_and_json_agree(folders):
    pred, truth = folders
    write(truth / "A.png", [[255, 255, 0, 0]])
    write(pred / "A.png", [[255, 0, 0, 0]])
    evaluation = evaluate_folders(pred, truth)
    header, row = evaluation.to_csv().splitlines()
    values = dict(zip(header.split(","), row.split(","), strict=True))
    assert values["dice"] == "0.666667"
    result = evaluation.to_dict()
    assert result["n"] == 1
    assert result["pooled_confusion_pixels"] == {"tp": 1, "fp": 0, "fn": 1, "tn": 2}
    assert result["per_image_mean_by_source"]["truth"]["n"] == 1
