"""A model is scored from the picture files, against the masks that the store holds at their own size."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import LesionctlError, UsageError
from lesionctl.evaluate.cases import cases_of_store
from lesionctl.evaluate.scoring import score
from lesionctl.evaluate.sides import FolderSide, ModelSide
from lesionctl.imaging.decode import decode
from lesionctl.imaging.postprocess import Postprocess
from lesionctl.prepare.prepare import PrepareOptions, prepare
from lesionctl.prepare.sources import FolderSource
from lesionctl.prepare.split import Shares
from lesionctl.runtime import stream
from lesionctl.scoring.counts import Counts

HALF_RIGHT = Counts(tp=40 * 16, fp=40 * 16, fn=0, tn=40 * 32)


def test_every_picture_of_the_split_is_scored_at_its_mask_s_own_size(six, dark_is_lesion, score_model):
    evaluation = score_model(dark_is_lesion(), six)
    assert evaluation.failures == []
    assert [image.id for image in evaluation.images] == [f"ISIC_000000{number}" for number in (2, 3, 4, 5)]
    assert [image.counts for image in evaluation.images] == [HALF_RIGHT] * 4
    assert evaluation.board.per_image()["jaccard"] == 0.5
    assert (evaluation.prediction, evaluation.model.spec.threshold) == ("dark", 0.5)


def test_drawn_pictures_of_any_orientation_fit_their_masks(store_path, dark_is_lesion, score_model):
    store = open_store(store_path)
    evaluation = score_model(dark_is_lesion(), store, Split.TRAIN)
    rows = store.rows(Split.TRAIN)
    assert evaluation.failures == []
    for row, image in zip(rows, evaluation.images, strict=True):
        sample, counts = store.samples[row], image.counts
        assert counts.tp + counts.fp + counts.fn + counts.tn == sample.height * sample.width
        assert (counts.tp + counts.fn) / (sample.height * sample.width) == pytest.approx(
            sample.lesion_fraction, abs=1e-6
        )
    assert evaluation.board.histogram.roc_auc() > 0.6  # lesions are darker than skin


def test_the_mask_file_itself_is_of_no_account(six, dark_is_lesion, score_model):
    assert not six.samples[2].mask.exists()
    assert len(score_model(dark_is_lesion(), six).images) == 4


def test_threshold_above_everything_finds_nothing(six, dark_is_lesion, score_model):
    evaluation = score_model(dark_is_lesion(threshold=1.0), six)
    assert evaluation.board.confusion().tp == 0
    assert evaluation.board.per_image()["dice"] == 0


def test_pictures_that_are_gone_or_of_another_size_count_as_nothing_found_and_are_named(
    six, dark_is_lesion, tmp_path, score_model
):
    Image.new("RGB", (64, 41)).save(tmp_path / "taller.png")
    samples = list(six.samples)
    samples[2] = replace(samples[2], image=tmp_path / "gone.png")
    samples[4] = replace(samples[4], image=tmp_path / "taller.png")
    evaluation = score_model(dark_is_lesion(), replace(six, samples=samples))
    assert [failure.path.name for failure in evaluation.failures] == ["gone.png", "taller.png"]
    nothing_found = Counts(tp=0, fp=0, fn=40 * 16, tn=40 * 48)
    assert [image.counts for image in evaluation.images] == [nothing_found, HALF_RIGHT, nothing_found, HALF_RIGHT]


def test_a_picture_on_which_a_model_failed_stays_in_the_figures_of_probabilities(
    six, dark_is_lesion, tmp_path, score_model
):
    samples = list(six.samples)
    samples[2] = replace(samples[2], image=tmp_path / "gone.png")
    whole = score_model(dark_is_lesion(), six).board.histogram
    found = score_model(dark_is_lesion(), replace(six, samples=samples)).board.histogram
    assert found.pixels == whole.pixels == 4 * 40 * 64
    # Wrong by 1 are of each other picture the quarter beside the lesion, and of this one the quarter that is lesion.
    assert (whole.brier(), found.brier()) == (0.25, 0.25)
    # Of the lesion 3 quarters have 1 and one has 0; of the background 3 of 12 quarters have 1.
    assert whole.roc_auc() == pytest.approx(2 / 3 + 1 / 3 / 2)
    assert found.roc_auc() == pytest.approx(3 / 4 * (9 / 12 + 3 / 12 / 2) + 1 / 4 * (9 / 12 / 2))


def test_where_a_model_fails_on_all_of_the_validation_split_there_is_no_best_threshold(
    six, dark_is_lesion, tmp_path, score_model
):
    samples = [replace(sample, image=tmp_path / "gone.png") for sample in six.samples]
    evaluation = score_model(dark_is_lesion(), replace(six, samples=samples), Split.VALIDATION)
    assert [image.failed for image in evaluation.images] == [True]
    assert evaluation.best_threshold is None
    assert evaluation.board.histogram.figures()["brier"] == 0.25  # its lesion is a quarter


def test_damaged_masks_stop_it(six, dark_is_lesion, score_model):
    content = six.path / "native_masks.bin"
    content.write_bytes(bytes(content.stat().st_size))
    with pytest.raises(LesionctlError, match=r"native_masks\.bin: is damaged"):
        score_model(dark_is_lesion(), six)


@pytest.mark.parametrize(("fold", "validated"), [(None, "ISIC_0000001"), (0, "ISIC_0000000"), (1, "ISIC_0000001")])
def test_a_fold_has_its_own_validation_split(six, dark_is_lesion, fold, validated, score_model):
    evaluation = score_model(dark_is_lesion(), six, Split.VALIDATION, fold=fold)
    assert [image.id for image in evaluation.images] == [validated]
    assert evaluation.origin.fold == fold
    title = cases_of_store(six, Split.VALIDATION, fold).title
    assert title.endswith("val split" if fold is None else f"val split of fold {fold}")


def test_what_is_not_there_cannot_be_scored(six, dark_is_lesion, score_model):
    with pytest.raises(UsageError, match="has no fold 2"):
        score_model(dark_is_lesion(), six, fold=2)
    only_train = [replace(sample, split=Split.TRAIN) for sample in six.samples]
    with pytest.raises(UsageError, match="has no test split"):
        score_model(dark_is_lesion(), replace(six, samples=only_train))


def test_result_names_the_data_and_the_training(six, dark_is_lesion, score_model):
    segmenter = dark_is_lesion()
    segmenter.spec = replace(segmenter.spec, training_digest="ab" * 32)
    origin = score_model(segmenter, six).origin
    assert origin.store_digest == six.info.digest
    assert (origin.split, origin.fold, origin.training_digest) == (Split.TEST, None, "ab" * 32)


def test_masks_of_0_and_1_are_scored_right(tmp_path, write_pair, dark_is_lesion, score_model):
    images, masks = tmp_path / "set" / "images", tmp_path / "set" / "masks"
    write_pair(images / "A.png", masks / "A.png", shade=20)  # a disc of a radius of 15: 0 and 255
    write_pair(images / "B.png", masks / "B.png", shade=20, centre=(0.3, 0.3))
    grey = np.asarray(Image.open(masks / "B.png"))
    Image.fromarray(grey // 255).save(masks / "B.png")  # 0 and 1
    options = PrepareOptions(size=32, shares=Shares(100, 0, 0))
    store = open_store(prepare([FolderSource.at(tmp_path / "set")], tmp_path / "store", options).store)
    shutil.rmtree(masks)
    scored = score_model(dark_is_lesion(), store, Split.TRAIN).images
    assert [image.id for image in scored] == ["A", "B"]
    for image in scored:
        assert image.counts.tp + image.counts.fn == pytest.approx(np.pi * 15**2, rel=0.02)
        assert image.figures()["dice"] > 0.95  # the model sees the dark disc at 64 by 64, its border a little blurred


def test_post_processing_is_part_of_the_model_and_of_the_result(six, dark_is_lesion, score_model):
    segmenter = dark_is_lesion()
    segmenter.spec = replace(segmenter.spec, postprocess=Postprocess(smallest_area=0.6))  # the dark half is 0.5
    evaluation = score_model(segmenter, six)
    assert evaluation.board.confusion().tp == 0
    assert evaluation.model.spec.postprocess.smallest_area == 0.6


def test_models_that_look_alike_share_the_decoding_and_score_as_each_alone(
    store_path, dark_is_lesion, score_models, score_model, monkeypatch
):
    store, decoded = open_store(store_path), []
    monkeypatch.setattr(stream, "decode", lambda path, *how: decoded.append(path) or decode(path, *how))
    together = score_models([dark_is_lesion(), dark_is_lesion(threshold=0.4)], store)
    assert len(decoded) == len(store.rows(Split.TEST)) == 3
    alone = [score_model(dark_is_lesion(threshold=threshold), store) for threshold in (0.5, 0.4)]
    assert [evaluation.images for evaluation in together] == [evaluation.images for evaluation in alone]


def test_a_threshold_is_looked_for_on_validation_alone(six, dark_is_lesion, score_model):
    assert score_model(dark_is_lesion(), six, Split.TEST).best_threshold is None
    assert score_model(dark_is_lesion(), six, Split.TRAIN).best_threshold is None  # nor on what was learned
    # Half of the picture has probability 1 and half 0, so that every threshold does equally well: the middle one.
    assert score_model(dark_is_lesion(), six, Split.VALIDATION).best_threshold == 0.5


def test_a_model_and_a_folder_of_masks_are_scored_on_the_same_pictures(six, dark_is_lesion, tmp_path):
    right_quarter = np.zeros((40, 64), np.uint8)
    right_quarter[:, 48:] = 255
    (tmp_path / "masks").mkdir()
    for name in ("ISIC_0000000", "ISIC_0000002", "ISIC_0000003", "ISIC_0000004", "stranger"):
        Image.fromarray(right_quarter).save(tmp_path / "masks" / f"{name}.png")
    sides = [ModelSide("dark", dark_is_lesion(), []), FolderSide(tmp_path / "masks")]
    (model, folder), cases = score(sides, cases_of_store(six, Split.TEST))
    assert [image.id for image in model.images] == [image.id for image in folder.images] == [c.id for c in cases.items]
    assert [image.figures()["dice"] for image in folder.images] == [1, 1, 1, 0]
    assert [image.failed for image in folder.images] == [False, False, False, True]
    # ISIC_0000000 belongs to another split of the set and is no stranger.
    assert [failure.path.name for failure in folder.failures] == ["ISIC_0000005.png", "stranger.png"]
    assert (model.failures, folder.origin, folder.model) == ([], None, None)


def test_the_pictures_come_with_facts(six, dark_is_lesion):
    _, cases = score([ModelSide("dark", dark_is_lesion(), [])], cases_of_store(six, Split.TEST))
    assert cases.facts[0] == {
        "source": "set",
        "diagnosis": "",
        "lesion area": "over 20 %",
        "touches the border": "yes",
        "picture size": "under 0.5 megapixels",
    }


def test_boundaries_are_measured_at_the_masks_own_size(six, dark_is_lesion, score_model):
    figures = score_model(dark_is_lesion(), six).images[0].figures()
    # The prediction's left side lies 16 pixels left of the truth's; 5 pixels are not enough for it.
    assert figures["hd95"] == 16
    assert 0 < figures["nsd_5px"] < 1
