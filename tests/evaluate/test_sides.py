from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lesionctl.errors import Failure, SomeInputsFailed, UsageError
from lesionctl.evaluate.cases import cases_of_folder
from lesionctl.evaluate.scoring import score
from lesionctl.evaluate.sides import FolderSide
from lesionctl.scoring.counts import Counts


def write(path, pixels):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.array(pixels, np.uint8)).save(path)


@pytest.fixture
def folders(tmp_path):
    return tmp_path / "pred", tmp_path / "truth"


def test_masks_of_any_program_are_scored_by_id(folders, score_folders):
    pred, truth = folders
    write(truth / "A_segmentation.png", [[255, 255, 0, 0]])
    write(pred / "A.png", [[255, 0, 0, 0]])
    write(truth / "B_segmentation.png", [[0, 0, 0, 0]])
    write(pred / "B_mask.png", [[0, 0, 0, 0]])
    (evaluation,) = score_folders(truth, pred)
    assert evaluation.failures == []
    assert [image.counts for image in evaluation.images] == [Counts(1, 0, 1, 2), Counts(0, 0, 0, 4)]
    # A: Dice 2/3, Jaccard 1/2; B is empty in both: 1.
    assert evaluation.board.per_image()["dice"] == pytest.approx((2 / 3 + 1) / 2)
    assert evaluation.board.per_image()["thresholded_jaccard"] == pytest.approx(0.5)
    assert evaluation.board.confusion() == Counts(tp=1, fn=1, tn=6)
    assert evaluation.board.histogram.pixels == 0


def test_foreground_is_above_128(folders, score_folders):
    pred, truth = folders
    write(truth / "A.png", [[255, 255, 0, 0]])
    write(pred / "A.png", [[129, 128, 128, 0]])
    assert score_folders(truth, pred)[0].images[0].counts == Counts(tp=1, fp=0, fn=1, tn=2)


def test_missing_unreadable_and_missized_predictions_count_as_nothing_found(folders, score_folders):
    pred, truth = folders
    for name in "ABC":
        write(truth / f"{name}.png", [[255, 255, 0, 0]])
    (pred).mkdir()
    (pred / "B.png").write_bytes(b"")
    write(pred / "C.png", [[255, 255, 0]])
    write(pred / "D.png", [[255]])
    (evaluation,) = score_folders(truth, pred)
    assert [image.counts for image in evaluation.images] == [Counts(0, 0, 2, 2)] * 3
    reasons = [f"{failure.path.name}: {failure.reason}" for failure in evaluation.failures]
    assert reasons[0] == f"A.png: {pred} has no prediction for it"
    assert reasons[1].startswith("B.png: ")
    assert reasons[2] == "C.png: 3×1 pixels, its truth 4×1"
    assert reasons[3] == "D.png: a prediction without a truth"


def test_two_masks_of_one_id_are_refused(folders, score_folders):
    pred, truth = folders
    write(truth / "A.png", [[255]])
    write(pred / "A.png", [[255]])
    write(pred / "A_mask.png", [[255]])
    with pytest.raises(UsageError, match="2 masks of 'A'"):
        score_folders(truth, pred)


def test_truth_that_cannot_be_read_is_left_out_and_named(folders, score_folders):
    pred, truth = folders
    for name in "AB":
        write(pred / f"{name}.png", [[255, 0]])
        write(truth / f"{name}.png", [[255, 0]])
    (truth / "B.png").write_bytes(b"")
    (evaluation,), cases = score([FolderSide(pred)], cases_of_folder(truth))
    assert [image.id for image in evaluation.images] == [case.id for case in cases.items] == ["A"]
    assert [failure.path for failure in cases.left_out] == [truth / "B.png"]
    assert evaluation.failures == []  # which is no fault of the side
    (truth / "A.png").write_bytes(b"")
    with pytest.raises(SomeInputsFailed, match="2 of 2 inputs failed"):
        score_folders(truth, pred)


def test_masks_that_are_not_black_and_white_are_scored_and_named(folders, score_folders):
    pred, truth = folders
    write(truth / "A.png", [[255, 255, 0, 0]])
    write(truth / "B.png", [[240, 255, 0, 0]])
    write(pred / "A.png", [[255, 200, 60, 0]])
    write(pred / "B.png", [[0, 0, 0, 0]])
    (evaluation,), cases = score([FolderSide(pred)], cases_of_folder(truth))
    assert (evaluation.failures, cases.left_out) == ([], [])
    assert [image.figures()["dice"] for image in evaluation.images] == [1, 0]
    assert [remark.path for remark in evaluation.remarks] == [pred / "A.png"]
    assert [remark.path for remark in cases.remarks] == [truth / "B.png"]


def test_masks_of_0_and_1_are_no_empty_ones(folders):
    pred, truth = folders
    for name in "ABC":
        write(truth / f"{name}.png", [[255, 255, 0, 0]])
        write(pred / f"{name}.png", [[255, 255, 0, 0]])
    write(truth / "B.png", [[1, 1, 0, 0]])
    write(pred / "C.png", [[1, 1, 0, 0]])
    (evaluation,), cases = score([FolderSide(pred)], cases_of_folder(truth))
    reason = "its highest value is 1: nothing in it is above 128 (save lesion as 255)"
    assert cases.left_out == [Failure(truth / "B.png", reason)]
    assert evaluation.failures == [Failure(pred / "C.png", reason)]
    assert [(image.id, image.failed, image.figures()["dice"]) for image in evaluation.images] == [
        *(("A", False, 1), ("C", True, 0))
    ]


def test_truths_of_0_and_1_alone_leave_nothing_to_score(folders, score_folders):
    pred, truth = folders
    write(truth / "A.png", [[1, 0]])
    write(pred / "A.png", [[255, 0]])
    with pytest.raises(SomeInputsFailed, match=r"1 of 1 inputs failed.*\n.*save lesion as 255"):
        score_folders(truth, pred)


def test_letters_with_marks_are_the_same_composed_and_decomposed(folders, tmp_path):
    pred, truth = folders
    write(truth / "nævus é_segmentation.png", [[255, 0]])
    write(pred / "nævus e\u0301.png", [[255, 0]])
    write(tmp_path / "images" / "nævus e\u0301.png", [[[200, 150, 130]] * 2])
    (tmp_path / "table.csv").write_text("image,sex\nnævus e\u0301.jpg,f\n")
    wanted = {"images": tmp_path / "images", "metadata": [tmp_path / "table.csv"], "by": ["sex"]}
    (evaluation,), cases = score([FolderSide(pred)], cases_of_folder(truth, **wanted))
    assert (evaluation.failures, cases.gaps) == ([], [])
    assert cases.facts[0]["sex"] == "f"
    assert cases.items[0].image is not None


def test_pictures_that_are_missing_or_not_of_their_masks_size_are_counted_and_not_shown(folders, tmp_path, listener):
    pred, truth = folders
    for name in "ABCD":
        write(truth / f"{name}.png", [[255, 0]])
        write(pred / f"{name}.png", [[255, 0]])
    images = tmp_path / "images"
    write(images / "A.png", [[[200, 150, 130]] * 2])
    write(images / "B.png", [[[200, 150, 130]] * 3])
    (images / "C.png").write_bytes(b"")
    _, cases = score([FolderSide(pred)], cases_of_folder(truth, images=images), progress=listener)
    assert [case.image is not None for case in cases.items] == [True, False, False, False]
    assert (
        listener.warnings
        == [str(gap) for gap in cases.gaps]
        == [
            f"1 of 4 pictures is without a picture in {images}",
            "2 of 4 pictures are unreadable, or of another size than the true mask, and not shown",
        ]
    )


def test_groups_come_from_a_column(folders, score_folders, tmp_path):
    pred, truth = folders
    for name in "ABC":
        write(pred / f"{name}.png", [[255, 0]])
        write(truth / f"{name}.png", [[255, 0]])
    (tmp_path / "table.csv").write_text("id,lesion\nA,1\nB,1\n")
    (evaluation,) = score_folders(truth, pred, metadata=[tmp_path / "table.csv"], group_by="lesion")
    assert [image.group for image in evaluation.images] == ["lesion=1", "lesion=1", "id=C"]
