"""The leak gate as a person meets it: `eval` and `train` refuse pictures that were seen, or say that they were."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store

CPU = ("--device", "cpu", "--precision", "fp32")


@pytest.fixture(scope="module")
def seen_ids(store_path, other_split_path):
    """Pictures of the other split's test that the run has learned from."""
    learned = {sample.id for sample in open_store(store_path).samples if sample.split is not Split.TEST}
    test = {sample.id for sample in open_store(other_split_path).samples if sample.split is Split.TEST}
    assert 0 < len(learned & test) < len(test) == 3
    return learned & test


def test_a_model_is_tested_on_what_it_has_not_seen(lesionctl, run_dir, store_path):
    done = lesionctl("eval", run_dir, store_path, "--json", *CPU)
    assert done.returncode == 0
    assert "warning" not in done.stderr
    result = json.loads(done.stdout)
    assert result["seen_in_training"] == {"pictures": 0, "of": 3, "by": {}, "left_out": False, "complete": True}
    assert result["store_digest"] == open_store(store_path).info.digest
    assert len(result["training_digest"]) == 64


def test_seen_pictures_are_refused_with_exit_code_4(lesionctl, run_dir, other_split_path, seen_ids):
    done = lesionctl("eval", run_dir, other_split_path, *CPU)
    assert (done.returncode, done.stdout) == (4, "")
    assert f"error: tiny has seen {len(seen_ids)} of the 3 pictures of" in done.stderr
    assert f"(same file: {len(seen_ids)})" in done.stderr
    assert "hint: --seen skip leaves them out, --seen mark scores all" in done.stderr


def test_marked_pictures_are_named_in_title_warning_json_and_csv(
    lesionctl, run_dir, other_split_path, seen_ids, tmp_path
):
    shown = lesionctl("eval", run_dir, other_split_path, "--seen", "mark", "--csv", "rows.csv", *CPU)
    assert shown.returncode == 0
    assert f"3 pictures at the masks' own size ({len(seen_ids)} of 3 seen in training)" in shown.stdout
    assert "warning: tiny has seen" in shown.stderr
    with (tmp_path / "rows.csv").open(newline="") as file:
        assert {row["id"] for row in csv.DictReader(file) if row["seen"] == "1"} == seen_ids
    result = json.loads(lesionctl("eval", run_dir, other_split_path, "--seen", "mark", "--json", *CPU).stdout)
    assert (result["n"], result["seen_in_training"]["pictures"]) == (3, len(seen_ids))


def test_skipped_pictures_are_left_out(lesionctl, run_dir, other_split_path, seen_ids):
    done = lesionctl("eval", run_dir, other_split_path, "--json", *CPU, LESIONCTL_EVAL_SEEN="skip")
    assert done.returncode == 0
    result = json.loads(done.stdout)
    assert result["n"] == 3 - len(seen_ids)
    assert result["seen_in_training"]["left_out"] is True
    assert "they are left out" in done.stderr


def test_a_model_that_does_not_say_what_it_has_seen_is_scored_with_a_warning(lesionctl, model_file, store_path):
    done = lesionctl("eval", model_file, store_path, "--json", *CPU)
    assert done.returncode == 0
    assert "warning: tiny does not say which pictures it has seen" in done.stderr
    assert json.loads(done.stdout)["seen_in_training"] is None


def test_a_fold_is_named_in_the_title(lesionctl, model_file, folded_path):
    done = lesionctl("eval", model_file, folded_path, "--split", "val", "--fold", "1", *CPU)
    assert done.returncode == 0
    assert "val split of fold 1:" in done.stdout


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--fold", "0"), "has no fold 0"),
        (("--split", "tset"), "there is no split 'tset'"),
        (("--seen", "hide"), "'hide'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_exit_code_2(lesionctl, model_file, store_path, words, what):
    done = lesionctl("eval", model_file, store_path, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert what in done.stderr


def test_a_fold_of_two_folders_makes_no_sense(lesionctl, demo):
    done = lesionctl("eval", "--pred", demo / "masks", "--truth", demo / "masks", "--fold", "0")
    assert done.returncode == 2


def test_two_models_are_compared_on_the_same_pictures(lesionctl, run_dir, model_file, store_path):
    shown = lesionctl("eval", run_dir, store_path, "--against", model_file, *CPU)
    assert shown.returncode == 0
    assert "both on the same 3 pictures, mean per image" in shown.stdout
    assert "pictures by Dice" in shown.stdout

    result = json.loads(lesionctl("eval", run_dir, store_path, "--against", model_file, "--json", *CPU).stdout)
    comparison = result["comparison"]
    assert (result["schema"], result["n"], comparison["against"]["n"]) == (1, 3, 3)
    assert sum(comparison["pictures_by_dice"].values()) == 3
    for name, difference in comparison["per_image_mean_difference"].items():
        other = comparison["against"]["per_image_mean"][name]
        assert difference == pytest.approx(result["per_image_mean"][name] - other, abs=1e-12)
    alone = json.loads(lesionctl("eval", model_file, store_path, "--json", *CPU).stdout)
    assert comparison["against"] == alone


def test_a_model_against_itself_is_no_better_and_no_worse(lesionctl, model_file, store_path):
    done = lesionctl("eval", model_file, store_path, "--against", model_file, "--json", *CPU)
    comparison = json.loads(done.stdout)["comparison"]
    assert comparison["pictures_by_dice"] == {"better": 0, "equal": 3, "worse": 0}
    assert set(comparison["per_image_mean_difference"].values()) == {0}


def test_what_the_other_model_has_seen_is_no_test_either(lesionctl, run_dir, model_file, other_split_path, seen_ids):
    words = ("eval", model_file, other_split_path, "--against", run_dir, "--json", *CPU)
    refused = lesionctl(*words)
    assert (refused.returncode, refused.stdout) == (4, "")
    left_out = json.loads(lesionctl(*words, "--seen", "skip").stdout)
    assert left_out["n"] == left_out["comparison"]["against"]["n"] == 3 - len(seen_ids)


def test_several_models_are_scored_as_one(lesionctl, run_dir, model_file, store_path, tmp_path):
    together = json.loads(lesionctl("eval", model_file, model_file, store_path, "--json", *CPU).stdout)
    alone = json.loads(lesionctl("eval", model_file, store_path, "--json", *CPU).stdout)
    assert (together["prediction"], together["per_image_mean"]) == ("tiny ×2", alone["per_image_mean"])

    for number in range(2):
        shutil.copytree(run_dir, tmp_path / "cross" / f"fold-{number}")
    of_folds = json.loads(lesionctl("eval", "cross", store_path, "--json", *CPU).stdout)
    of_one = json.loads(lesionctl("eval", run_dir, store_path, "--json", *CPU).stdout)
    assert (of_folds["prediction"], of_folds["per_image_mean"]) == ("tiny ×2", of_one["per_image_mean"])
    assert of_folds["seen_in_training"] == of_one["seen_in_training"]

    refused = lesionctl("export", "cross")
    assert refused.returncode == 2
    assert "holds the models of a cross-validation" in refused.stderr


@pytest.mark.parametrize("words", [(), ("--pred", "a", "--truth", "b", "--against", "lesion-s")])
def test_a_comparison_needs_a_store(lesionctl, words):
    done = lesionctl("eval", *words)
    assert done.returncode == 2
    assert "name a STORE" in done.stderr


def test_train_refuses_a_validation_that_its_ancestor_has_seen(lesionctl, run_dir, store_path, tmp_path):
    words = ("train", store_path, "--init", run_dir, "--out", "run", "--size", "64", "--epochs", "1", *CPU)
    refused = lesionctl(*words)
    assert refused.returncode == 4
    assert "has seen 2 of the 2 pictures of the validation split in training (same file: 2)" in refused.stderr
    assert "--allow-seen" in refused.stderr
    assert not (tmp_path / "run").exists()

    marked = lesionctl(*words, "--allow-seen", "--json")
    assert marked.returncode == 0
    assert "its scores are marked" in marked.stderr
    seen = json.loads(marked.stdout)["validation_seen_by_ancestor"]
    assert seen == {"pictures": 2, "of": 2, "by": {"sha256": 2}}

    again = lesionctl("--config", "run/config.toml", "train", store_path, "--out", "run")
    assert again.returncode == 0  # the run's own record gives the same run, which has nothing left to do
    assert "(2 of 2 pictures seen by its ancestor)" in again.stderr


def test_allow_seen_is_about_an_ancestor(lesionctl, store_path):
    done = lesionctl("train", store_path, "--out", "run", "--encoder", "resnet18", "--allow-seen")
    assert done.returncode == 2
    assert "--allow-seen is about a model to start from, not --encoder" in done.stderr
