"""Pictures that a model has seen are no test of it: refused, marked, or left out."""

from __future__ import annotations

import pytest

from lesionctl.dataset.exposure import Exposure, SeenCount
from lesionctl.dataset.samples import Split
from lesionctl.errors import GateError
from lesionctl.evaluate.when_seen import WhenSeen


@pytest.fixture
def knows_two(six, dark_is_lesion, make_sample):
    """The model, which has seen the train and val pictures, the third by its id and the fourth by its lesion."""
    others = [make_sample("ISIC_0000002_crop"), make_sample("another", keys=("lesion_id=HAM_0000003",))]
    return dark_is_lesion(seen=Exposure.of([*six.samples[:2], *others]))


def test_seen_pictures_are_refused_as_a_test_before_any_work(six, knows_two, monkeypatch, score_model):
    monkeypatch.setattr(knows_two, "forward", lambda _: pytest.fail("pictures were segmented"))
    with pytest.raises(GateError) as caught:
        score_model(knows_two, six)
    assert "dark has seen 2 of the 4 pictures of " in caught.value.what
    assert "test split, in training (same id: 1, same lesion: 1): they are no test of it" in caught.value.what
    assert "--seen skip" in caught.value.hint
    assert "--seen mark" in caught.value.hint


def test_marked_pictures_are_scored_and_the_result_says_so(six, knows_two, listener, score_model):
    evaluation = score_model(knows_two, six, when_seen=WhenSeen.MARK, progress=listener)
    assert [image.seen for image in evaluation.images] == [True, True, False, False]
    assert evaluation.origin.seen == SeenCount(2, 4, {"id": 1, "lesion_id": 1})
    assert evaluation.origin.remark() == "2 of 4 seen in training"
    assert len(listener.warnings) == 1
    assert "the figures are not those of a test" in listener.warnings[0]
    assert evaluation.origin.to_dict()["seen_in_training"] == {
        "pictures": 2, "of": 4, "by": {"id": 1, "lesion_id": 1},
        "compared_by": ["sha256", "id", "near", "lesion_id"], "left_out": False, "complete": True,
    }  # fmt: skip


def test_skipped_pictures_are_left_out_and_counted(six, knows_two, listener, score_model):
    evaluation = score_model(knows_two, six, when_seen=WhenSeen.SKIP, progress=listener)
    assert [image.id for image in evaluation.images] == ["ISIC_0000004", "ISIC_0000005"]
    assert evaluation.origin.remark() == "2 of 4 seen in training and left out"
    assert "2 of the 4 pictures" in listener.warnings[0]
    assert "they are left out" in listener.warnings[0]
    seen = evaluation.origin.to_dict()["seen_in_training"]
    assert (len(evaluation.images), seen["pictures"], seen["left_out"]) == (2, 2, True)


@pytest.mark.parametrize("split", [Split.TRAIN, Split.VALIDATION])
def test_what_is_called_no_test_is_never_refused_and_always_marked(six, knows_two, listener, split, score_model):
    evaluation = score_model(knows_two, six, split, progress=listener)
    assert evaluation.origin.remark() == "1 of 1 seen in training"
    assert "1 of the 1 pictures" in listener.warnings[0]


def test_leaving_out_everything_leaves_nothing_to_score(six, dark_is_lesion, score_model):
    with pytest.raises(GateError, match="nothing is left to score"):
        score_model(dark_is_lesion(seen=Exposure.of(six.samples)), six, when_seen=WhenSeen.SKIP)


def test_new_pictures_pass_without_a_word(six, dark_is_lesion, listener, score_model):
    evaluation = score_model(dark_is_lesion(seen=Exposure.of(six.samples[:2])), six, progress=listener)
    assert listener.warnings == []
    assert evaluation.origin.remark() == ""
    assert evaluation.origin.to_dict()["seen_in_training"]["pictures"] == 0
    assert [image.seen for image in evaluation.images] == [False] * 4


@pytest.mark.parametrize("when", list(WhenSeen))
def test_a_model_that_does_not_say_what_it_has_seen_is_scored_with_a_warning(
    six, dark_is_lesion, listener, when, score_model
):
    evaluation = score_model(dark_is_lesion(), six, when_seen=when, progress=listener)
    assert [image.seen for image in evaluation.images] == [None] * 4
    assert evaluation.origin.to_dict()["seen_in_training"] is None
    assert len(listener.warnings) == 1
    assert "cannot be checked" in listener.warnings[0]


def test_a_model_that_started_from_such_a_one_is_checked_in_part(six, dark_is_lesion, listener, score_model):
    seen = Exposure.of(six.samples[2:3]) | Exposure()
    evaluation = score_model(dark_is_lesion(seen=seen), six, when_seen=WhenSeen.MARK, progress=listener)
    assert [image.seen for image in evaluation.images] == [True, None, None, None]
    assert evaluation.origin.to_dict()["seen_in_training"]["complete"] is False
    assert "can be checked in part only" in listener.warnings[0]
    with pytest.raises(GateError, match="1 of the 4 pictures"):
        score_model(dark_is_lesion(seen=seen), six)


def test_several_models_are_scored_on_the_same_pictures(six, dark_is_lesion, score_models):
    one = dark_is_lesion(seen=Exposure.of(six.samples[2:3]))
    other = dark_is_lesion(threshold=1.0, seen=Exposure.of(six.samples[4:5]))
    evaluations = score_models([one, other], six, when_seen=WhenSeen.SKIP)
    for evaluation in evaluations:
        assert [image.id for image in evaluation.images] == ["ISIC_0000003", "ISIC_0000005"]
        assert evaluation.origin.remark() == "1 of 4 seen in training and left out"
    assert [evaluation.board.per_image()["jaccard"] for evaluation in evaluations] == [0.5, 0.0]


def test_every_model_passes_the_gate_before_any_is_scored(six, dark_is_lesion, knows_two, monkeypatch, score_models):
    fresh = dark_is_lesion(seen=Exposure.of(six.samples[:2]))
    monkeypatch.setattr(fresh, "forward", lambda _: pytest.fail("pictures were segmented"))
    with pytest.raises(GateError, match="has seen 2 of the 4 pictures"):
        score_models([fresh, knows_two], six)


def test_models_that_have_seen_everything_between_them_leave_nothing_to_score(six, dark_is_lesion, score_models):
    halves = [dark_is_lesion(seen=Exposure.of(six.samples[:4])), dark_is_lesion(seen=Exposure.of(six.samples[4:]))]
    with pytest.raises(GateError, match="by one of the models in training: nothing is left to score"):
        score_models(halves, six, when_seen=WhenSeen.SKIP)
