"""A model is scored from the picture files, against the masks that the store holds at their own size."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lesionctl.dataset.exposure import Exposure, SeenCount
from lesionctl.dataset.native_masks import pack
from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import StoreWriter, open_store
from lesionctl.errors import BadFile, GateError, UsageError
from lesionctl.evaluate.leak_gate import WhenSeen
from lesionctl.evaluate.model import evaluate_model, evaluate_models
from lesionctl.imaging.postprocess import Postprocess
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.prepare.prepare import PrepareOptions, prepare
from lesionctl.prepare.sources import FolderSource
from lesionctl.prepare.split import Shares
from lesionctl.scoring.counts import Counts


@pytest.fixture
def six(tmp_path, make_sample):
    """Six pictures of 40 by 64 whose right half is dark; the lesion is the right quarter. Four of them are test."""
    mask = np.zeros((40, 64), bool)
    mask[:, 48:] = True
    image = np.full((40, 64, 3), 255, np.uint8)
    image[:, 32:] = 0
    Image.fromarray(image).save(tmp_path / "picture.png")
    splits = [Split.TRAIN, Split.VALIDATION, *[Split.TEST] * 4]
    samples = [
        make_sample(
            f"ISIC_000000{number}",
            split=split,
            fold=number if number < 2 else None,
            keys=(f"lesion_id=HAM_000000{number}",),
            image=tmp_path / "picture.png",
            height=40,
            width=64,
        )
        for number, split in enumerate(splits)
    ]
    (tmp_path / "store").mkdir()
    writer = StoreWriter(tmp_path / "store", 8, ResizeRule.SQUASH)
    for _ in samples:
        writer.append(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), bool), pack(mask))
    writer.close()
    writer.describe(samples, seed=0, folds=2)
    return open_store(tmp_path / "store")


HALF_RIGHT = Counts(tp=40 * 16, fp=40 * 16, fn=0, tn=40 * 32)


def test_every_picture_of_the_split_is_scored_at_its_mask_s_own_size(six, dark_is_lesion):
    evaluation = evaluate_model(dark_is_lesion(), six)
    assert evaluation.failures == []
    assert [image.id for image in evaluation.images] == [f"ISIC_000000{number}" for number in (2, 3, 4, 5)]
    assert [image.counts for image in evaluation.images] == [HALF_RIGHT] * 4
    assert evaluation.board.per_image()["jaccard"] == 0.5
    assert evaluation.truth == f"{six.path}, test split"
    assert (evaluation.prediction, evaluation.threshold) == ("dark", 0.5)


def test_drawn_pictures_of_any_orientation_fit_their_masks(store_path, dark_is_lesion):
    store = open_store(store_path)
    evaluation = evaluate_model(dark_is_lesion(), store, Split.TRAIN)
    rows = store.rows(Split.TRAIN)
    assert evaluation.failures == []
    for row, image in zip(rows, evaluation.images, strict=True):
        sample, counts = store.samples[row], image.counts
        assert counts.tp + counts.fp + counts.fn + counts.tn == sample.height * sample.width
        assert (counts.tp + counts.fn) / (sample.height * sample.width) == pytest.approx(
            sample.lesion_fraction, abs=1e-6
        )
    assert evaluation.board.roc_auc() > 0.6  # lesions are darker than skin


def test_the_mask_file_itself_is_of_no_account(six, dark_is_lesion):
    assert not six.samples[2].mask.exists()
    assert len(evaluate_model(dark_is_lesion(), six).images) == 4


def test_threshold_above_everything_finds_nothing(six, dark_is_lesion):
    evaluation = evaluate_model(dark_is_lesion(threshold=1.0), six)
    assert evaluation.board.confusion().tp == 0
    assert evaluation.board.per_image()["dice"] == 0


def test_pictures_that_are_gone_or_of_another_size_count_as_nothing_found_and_are_named(six, dark_is_lesion, tmp_path):
    Image.new("RGB", (64, 41)).save(tmp_path / "taller.png")
    samples = list(six.samples)
    samples[2] = replace(samples[2], image=tmp_path / "gone.png")
    samples[4] = replace(samples[4], image=tmp_path / "taller.png")
    evaluation = evaluate_model(dark_is_lesion(), replace(six, samples=samples))
    assert [failure.path.name for failure in evaluation.failures] == ["gone.png", "taller.png"]
    nothing_found = Counts(tp=0, fp=0, fn=40 * 16, tn=40 * 48)
    assert [image.counts for image in evaluation.images] == [nothing_found, HALF_RIGHT, nothing_found, HALF_RIGHT]


def test_damaged_masks_stop_it(six, dark_is_lesion):
    content = six.path / "native_masks.bin"
    content.write_bytes(bytes(content.stat().st_size))
    with pytest.raises(BadFile, match=r"native_masks\.bin: is damaged"):
        evaluate_model(dark_is_lesion(), six)


@pytest.mark.parametrize(("fold", "validated"), [(None, "ISIC_0000001"), (0, "ISIC_0000000"), (1, "ISIC_0000001")])
def test_a_fold_has_its_own_validation_split(six, dark_is_lesion, fold, validated):
    evaluation = evaluate_model(dark_is_lesion(), six, Split.VALIDATION, fold=fold)
    assert [image.id for image in evaluation.images] == [validated]
    assert evaluation.to_dict()["fold"] == fold
    assert evaluation.truth.endswith("val split" if fold is None else f"val split of fold {fold}")


def test_what_is_not_there_cannot_be_scored(six, dark_is_lesion):
    with pytest.raises(UsageError, match="has no fold 2"):
        evaluate_model(dark_is_lesion(), six, fold=2)
    only_train = [replace(sample, split=Split.TRAIN) for sample in six.samples]
    with pytest.raises(UsageError, match="has no test split"):
        evaluate_model(dark_is_lesion(), replace(six, samples=only_train))


@pytest.fixture
def knows_two(six, dark_is_lesion, make_sample):
    """The model, which has seen the train and val pictures, the third by its id and the fourth by its lesion."""
    others = [make_sample("ISIC_0000002_crop"), make_sample("another", keys=("lesion_id=HAM_0000003",))]
    return dark_is_lesion(seen=Exposure.of([*six.samples[:2], *others]))


def test_seen_pictures_are_refused_as_a_test_before_any_work(six, knows_two, monkeypatch):
    monkeypatch.setattr(knows_two, "forward", lambda _: pytest.fail("pictures were segmented"))
    with pytest.raises(GateError) as caught:
        evaluate_model(knows_two, six)
    assert "dark has seen 2 of the 4 pictures of " in caught.value.what
    assert "test split, in training (same id: 1, same lesion: 1): they are no test of it" in caught.value.what
    assert "--seen skip" in caught.value.hint
    assert "--seen mark" in caught.value.hint


def test_marked_pictures_are_scored_and_the_result_says_so(six, knows_two, listener):
    evaluation = evaluate_model(knows_two, six, when_seen=WhenSeen.MARK, progress=listener)
    assert [image.seen for image in evaluation.images] == [True, True, False, False]
    assert evaluation.origin.seen == SeenCount(2, 4, {"id": 1, "lesion_id": 1})
    assert evaluation.origin.remark() == "2 of 4 seen in training"
    assert len(listener.warnings) == 1
    assert "the figures are not those of a test" in listener.warnings[0]
    assert evaluation.to_dict()["seen_in_training"] == {
        "pictures": 2, "of": 4, "by": {"id": 1, "lesion_id": 1}, "left_out": False, "complete": True,
    }  # fmt: skip
    assert [row.split(",")[2] for row in evaluation.to_csv().splitlines()] == ["seen", "1", "1", "0", "0"]


def test_skipped_pictures_are_left_out_and_counted(six, knows_two, listener):
    evaluation = evaluate_model(knows_two, six, when_seen=WhenSeen.SKIP, progress=listener)
    assert [image.id for image in evaluation.images] == ["ISIC_0000004", "ISIC_0000005"]
    assert evaluation.origin.remark() == "2 of 4 seen in training and left out"
    assert "2 of the 4 pictures" in listener.warnings[0]
    assert "they are left out" in listener.warnings[0]
    result = evaluation.to_dict()
    assert (result["n"], result["seen_in_training"]["pictures"], result["seen_in_training"]["left_out"]) == (2, 2, True)


@pytest.mark.parametrize("split", [Split.TRAIN, Split.VALIDATION])
def test_what_is_called_no_test_is_never_refused_and_always_marked(six, knows_two, listener, split):
    evaluation = evaluate_model(knows_two, six, split, progress=listener)
    assert evaluation.origin.remark() == "1 of 1 seen in training"
    assert "1 of the 1 pictures" in listener.warnings[0]


def test_leaving_out_everything_leaves_nothing_to_score(six, dark_is_lesion):
    with pytest.raises(GateError, match="nothing is left to score"):
        evaluate_model(dark_is_lesion(seen=Exposure.of(six.samples)), six, when_seen=WhenSeen.SKIP)


def test_new_pictures_pass_without_a_word(six, dark_is_lesion, listener):
    evaluation = evaluate_model(dark_is_lesion(seen=Exposure.of(six.samples[:2])), six, progress=listener)
    assert listener.warnings == []
    assert evaluation.origin.remark() == ""
    assert evaluation.to_dict()["seen_in_training"]["pictures"] == 0
    assert [image.seen for image in evaluation.images] == [False] * 4


@pytest.mark.parametrize("when", list(WhenSeen))
def test_a_model_that_does_not_say_what_it_has_seen_is_scored_with_a_warning(six, dark_is_lesion, listener, when):
    evaluation = evaluate_model(dark_is_lesion(), six, when_seen=when, progress=listener)
    assert [image.seen for image in evaluation.images] == [None] * 4
    assert evaluation.to_dict()["seen_in_training"] is None
    assert evaluation.to_csv().splitlines()[1].split(",")[2] == ""
    assert len(listener.warnings) == 1
    assert "cannot be checked" in listener.warnings[0]


def test_a_model_that_started_from_such_a_one_is_checked_in_part(six, dark_is_lesion, listener):
    seen = Exposure.of(six.samples[2:3]) | Exposure()
    evaluation = evaluate_model(dark_is_lesion(seen=seen), six, when_seen=WhenSeen.MARK, progress=listener)
    assert [image.seen for image in evaluation.images] == [True, None, None, None]
    assert evaluation.to_dict()["seen_in_training"]["complete"] is False
    assert "can be checked in part only" in listener.warnings[0]
    with pytest.raises(GateError, match="1 of the 4 pictures"):
        evaluate_model(dark_is_lesion(seen=seen), six)


def test_result_names_the_data_and_the_training(six, dark_is_lesion):
    segmenter = dark_is_lesion()
    segmenter.spec = replace(segmenter.spec, training_digest="ab" * 32)
    result = evaluate_model(segmenter, six).to_dict()
    assert result["store_digest"] == six.info.digest
    assert (result["split"], result["fold"], result["training_digest"]) == ("test", None, "ab" * 32)


def test_masks_of_0_and_1_are_scored_right(tmp_path, write_pair, dark_is_lesion):
    images, masks = tmp_path / "set" / "images", tmp_path / "set" / "masks"
    write_pair(images / "A.png", masks / "A.png", shade=20)  # a disc of a radius of 15: 0 and 255
    write_pair(images / "B.png", masks / "B.png", shade=20, centre=(0.3, 0.3))
    grey = np.asarray(Image.open(masks / "B.png"))
    Image.fromarray(grey // 255).save(masks / "B.png")  # 0 and 1
    options = PrepareOptions(size=32, shares=Shares(100, 0, 0))
    store = open_store(prepare([FolderSource.at(tmp_path / "set")], tmp_path / "store", options).store)
    shutil.rmtree(masks)
    scored = evaluate_model(dark_is_lesion(), store, Split.TRAIN).images
    assert [image.id for image in scored] == ["A", "B"]
    for image in scored:
        assert image.counts.tp + image.counts.fn == pytest.approx(np.pi * 15**2, rel=0.02)
        assert image.figures()["dice"] > 0.95  # the model sees the dark disc at 64 by 64, its border a little blurred


def test_post_processing_is_part_of_the_model_and_of_the_result(six, dark_is_lesion):
    segmenter = dark_is_lesion()
    segmenter.spec = replace(segmenter.spec, postprocess=Postprocess(smallest_area=0.6))  # the dark half is 0.5
    evaluation = evaluate_model(segmenter, six)
    assert evaluation.board.confusion().tp == 0
    assert evaluation.to_dict()["postprocess"] == {"largest_region": False, "fill_holes": False, "smallest_area": 0.6}


def test_no_post_processing_is_said_too(six, dark_is_lesion):
    nothing = {"largest_region": False, "fill_holes": False, "smallest_area": 0.0}
    assert evaluate_model(dark_is_lesion(), six).to_dict()["postprocess"] == nothing


def test_several_models_are_scored_on_the_same_pictures(six, dark_is_lesion):
    one = dark_is_lesion(seen=Exposure.of(six.samples[2:3]))
    other = dark_is_lesion(threshold=1.0, seen=Exposure.of(six.samples[4:5]))
    evaluations = evaluate_models([one, other], six, when_seen=WhenSeen.SKIP)
    for evaluation in evaluations:
        assert [image.id for image in evaluation.images] == ["ISIC_0000003", "ISIC_0000005"]
        assert evaluation.origin.remark() == "1 of 4 seen in training and left out"
    assert [evaluation.board.per_image()["jaccard"] for evaluation in evaluations] == [0.5, 0.0]


def test_every_model_passes_the_gate_before_any_is_scored(six, dark_is_lesion, knows_two, monkeypatch):
    fresh = dark_is_lesion(seen=Exposure.of(six.samples[:2]))
    monkeypatch.setattr(fresh, "forward", lambda _: pytest.fail("pictures were segmented"))
    with pytest.raises(GateError, match="has seen 2 of the 4 pictures"):
        evaluate_models([fresh, knows_two], six)


def test_models_that_have_seen_everything_between_them_leave_nothing_to_score(six, dark_is_lesion):
    halves = [dark_is_lesion(seen=Exposure.of(six.samples[:4])), dark_is_lesion(seen=Exposure.of(six.samples[4:]))]
    with pytest.raises(GateError, match="by one of the models in training: nothing is left to score"):
        evaluate_models(halves, six, when_seen=WhenSeen.SKIP)
