"""Cross-validation: every fold has its model, and all of them share what was chosen on unlearned pictures."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from lesionctl.dataset.exposure import Exposure
from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import GateError, UsageError
from lesionctl.nets.model_file import load_model, read_model_spec, save_model
from lesionctl.runtime.load import load_segmenter
from lesionctl.scoring.counts import count
from lesionctl.scoring.overlap import dice
from lesionctl.train import folds
from lesionctl.train.folds import train_folds
from lesionctl.train.loop import train
from lesionctl.train.options import Resume
from lesionctl.train.validate import score_rows


@pytest.fixture(scope="module")
def options(tiny_options):
    """One epoch for each fold."""
    return replace(tiny_options, epochs=1, repeat=1, overlays=0)


@pytest.fixture(scope="module")
def result(folded_path, options, tmp_path_factory):
    """A cross-validation of three folds; its directory is not to be changed."""
    return train_folds(folded_path, tmp_path_factory.mktemp("folds") / "cv", options)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_fold_gets_a_model_and_all_share_threshold_and_postprocessing(result):
    specs = [read_model_spec(fold.model) for fold in result.folds]
    assert [fold.model for fold in result.folds] == [result.out / f"fold-{n}" / "model.safetensors" for n in range(3)]
    assert {(spec.threshold, spec.postprocess) for spec in specs} == {(result.threshold, result.postprocess)}
    assert len({spec.confidence_limit for spec in specs}) == 1
    assert None not in [spec.familiar for spec in specs]


def test_a_model_is_scored_on_the_pictures_of_its_own_fold(result, folded_path):
    store = open_store(folded_path)
    for number, fold in enumerate(result.folds):
        rows = store.at_fold(number).rows(Split.VALIDATION)
        scores = score_rows(load_segmenter(str(fold.model), "cpu", "fp32"), store, rows)
        assert fold.pictures == len(rows)
        assert fold.figures == pytest.approx(scores, abs=1e-9)


def test_every_picture_outside_the_test_split_is_predicted_once_by_the_model_that_has_not_learned_it(
    result, folded_path
):
    store = open_store(folded_path)
    rows = rows_of(result.out / "out-of-fold.csv")
    expected = {(s.id, s.source, str(s.fold)) for s in store.samples if s.split is not Split.TEST}
    assert len(rows) == len(expected)
    assert {(row["id"], row["source"], row["fold"]) for row in rows} == expected
    assert np.mean([float(row["dice"]) for row in rows]) == pytest.approx(result.figures["dice"], abs=1e-6)
    place = {sample.id: number for number, sample in enumerate(store.samples)}
    one = rows[0]
    segmenter = load_segmenter(str(result.folds[int(one["fold"])].model), "cpu", "fp32")
    frame = segmenter.spec.frame(store.info.size, store.info.size)
    mask = segmenter.mask(segmenter.segment([store.images[place[one["id"]]]])[0], frame)
    assert float(one["dice"]) == pytest.approx(dice(count(mask, store.masks[place[one["id"]]])), abs=1e-6)


def test_the_table_has_a_row_for_each_fold_and_then_mean_and_deviation(result):
    table = rows_of(result.out / "cross-validation.csv")
    assert list(table[0]) == ["fold", "n", "dice", "jaccard", "thresholded_jaccard"]
    assert [row["fold"] for row in table] == ["0", "1", "2", "mean", "sd"]
    dices = [fold.figures["dice"] for fold in result.folds]
    assert [float(row["dice"]) for row in table] == pytest.approx(
        [*dices, np.mean(dices), np.std(dices, ddof=1)], abs=1e-6
    )
    assert table[3]["n"] == str(sum(fold.pictures for fold in result.folds))


def test_the_scores_of_a_model_say_what_they_are_of(result):
    scores = read_model_spec(result.folds[1].model).scores
    own = scores["validation split, per-image mean dice, 64 px"]
    assert own == pytest.approx(result.folds[1].figures["dice"])
    assert scores["out of fold in 3 folds, per-image mean dice, 64 px"] == pytest.approx(result.figures["dice"])


def test_the_same_command_again_trains_nothing_and_finds_the_same(
    result, folded_path, options, monkeypatch, same_weights, tmp_path
):
    before = {fold.model: fold.model.read_bytes() for fold in result.folds}
    monkeypatch.setattr(folds, "train", lambda *_: pytest.fail("a finished fold was trained again"))
    assert train_folds(folded_path, result.out, options) == result
    assert {path: path.read_bytes() for path in before} == before


def test_other_options_are_refused_where_folds_stand(result, folded_path, options):
    with pytest.raises(UsageError, match="another lr"):
        train_folds(folded_path, result.out, replace(options, lr=0.5))


def test_folds_that_stopped_go_on_and_finished_ones_stand(folded_path, options, tmp_path, monkeypatch):
    trained, real = [], folds.train

    def stopping(store_path, out, plan, *rest):
        if plan.fold == 1 and len(trained) == 1:
            raise KeyboardInterrupt
        trained.append(plan.fold)
        return real(store_path, out, plan, *rest)

    monkeypatch.setattr(folds, "train", stopping)
    with pytest.raises(KeyboardInterrupt):
        train_folds(folded_path, tmp_path / "cv", options)
    trained.append("again")
    train_folds(folded_path, tmp_path / "cv", options)
    assert trained == [0, "again", 1, 2]


@pytest.mark.parametrize(
    ("change", "expected", "hint"),
    [
        ({"folds": 5}, "has 3 folds, not 5", "--folds 5, or train with --folds 3"),
        ({"options": {"fold": 1}}, "--fold and --folds exclude", "every fold"),
        ({"resume": Resume.MUST}, "holds no fold to go on with", "--resume must"),
    ],
)
def test_what_makes_no_sense_is_refused_before_training(folded_path, options, tmp_path, change, expected, hint):
    options = replace(options, **change.pop("options", {}))
    with pytest.raises(UsageError, match=expected) as caught:
        train_folds(folded_path, tmp_path / "cv", options, **change)
    assert hint in caught.value.hint
    assert not (tmp_path / "cv").exists()


def test_a_run_that_stands_is_refused_where_it_must_not_be_resumed(result, folded_path, options):
    with pytest.raises(UsageError, match="fold-0 stands already"):
        train_folds(folded_path, result.out, options, Resume.NEVER)


def test_a_teacher_that_has_seen_one_of_the_folds_is_refused_before_any_is_trained(
    result, folded_path, options, tmp_path, monkeypatch
):
    store, spec = open_store(folded_path), read_model_spec(result.folds[0].model)
    last = [sample for sample in store.samples if sample.fold == 2]
    _, net = load_model(result.folds[0].model)
    for seen, name in ((Exposure.of(last), "seen"), (Exposure.of([]), "new")):
        save_model(tmp_path / f"{name}.safetensors", replace(spec, seen=seen), net.state_dict())
    with pytest.raises(GateError, match=f"seen.safetensors has seen {len(last)} of the {len(last)} pictures"):
        train_folds(folded_path, tmp_path / "cv", replace(options, teacher=(str(tmp_path / "seen.safetensors"),)))
    assert not (tmp_path / "cv").exists()

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(folds, "train", stop)
    with pytest.raises(KeyboardInterrupt):  # with the other it begins
        train_folds(folded_path, tmp_path / "cv", replace(options, teacher=(str(tmp_path / "new.safetensors"),)))


def test_the_models_of_a_cross_validation_may_not_teach_another_on_the_same_folds(
    result, folded_path, options, tmp_path
):
    teachers = tuple(str(fold.model) for fold in result.folds)
    with pytest.raises(GateError, match=r"fold-0.model\.safetensors has seen") as caught:
        train(folded_path, tmp_path / "run", replace(options, fold=1, teacher=teachers))
    assert "the models of a cross-validation have seen all its pictures between them" in caught.value.hint


def test_a_set_without_folds_is_refused_with_the_command_that_makes_them(store_path, options, tmp_path):
    with pytest.raises(UsageError, match="has no folds") as caught:
        train_folds(store_path, tmp_path / "cv", options, folds=4)
    assert caught.value.hint == "prepare it with: lesionctl prepare … --folds 4"
