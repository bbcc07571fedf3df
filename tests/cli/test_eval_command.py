"""`eval` as a person meets it: models, folders of masks, the leak gate, what fails and what is demanded."""

from __future__ import annotations

import csv
import json
import re
import shutil
from importlib.resources import files

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image

from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store

CPU = ("--device", "cpu", "--precision", "fp32")
QUICK = ("--resamples", "200")
SCHEMA = json.loads((files("lesionctl.evaluate") / "evaluation.schema.json").read_text())


@pytest.fixture
def evaluate(lesionctl):
    """A function that runs `lesionctl eval ... --json` and gives the result, which is as the schema says."""

    def run(*words, exit_code=0, **variables):
        done = lesionctl("eval", *words, "--json", *QUICK, **variables)
        assert done.returncode == exit_code, done.stderr
        result = json.loads(done.stdout)
        Draft202012Validator(SCHEMA).validate(result)
        return result, done.stderr

    return run


@pytest.fixture(scope="module")
def seen_ids(store_path, other_split_path):
    """Pictures of the other split's test that the run has learned from."""
    learned = {sample.id for sample in open_store(store_path).samples if sample.split is not Split.TEST}
    test = {sample.id for sample in open_store(other_split_path).samples if sample.split is Split.TEST}
    assert 0 < len(learned & test) < len(test) == 3
    return learned & test


@pytest.fixture
def folders(tmp_path):
    """A folder of five true masks, and one of predictions of which one is right."""
    truth, pred = tmp_path / "truth", tmp_path / "pred"
    truth.mkdir()
    pred.mkdir()
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 20:40] = 255
    for name in "ABCDE":
        Image.fromarray(mask).save(truth / f"{name}_segmentation.png")
    Image.fromarray(mask).save(pred / "A.png")
    Image.fromarray(mask // 255 * 200 + 20).save(pred / "B.png")  # 20 and 220
    Image.fromarray(mask[:, ::2]).save(pred / "C.png")
    (pred / "D.png").write_bytes(b"no picture")
    Image.fromarray(mask).save(pred / "F.png")
    return pred, truth


# models, and what they have seen


def test_a_model_is_tested_on_what_it_has_not_seen(evaluate, run_dir, store_path):
    result, said = evaluate(run_dir, store_path, *CPU)
    assert "warning" not in said
    (found,) = result["evaluations"]
    seen = {"pictures": 0, "of": 3, "by": {}, "compared_by": ["sha256"], "left_out": False, "complete": True}
    assert found["seen_in_training"] == seen
    assert result["store_digest"] == open_store(store_path).info.digest
    assert (result["n"], result["split"], result["fold"]) == (3, "test", None)
    assert (found["prediction"], found["model"]["name"], found["model"]["files"]) == (
        *("run", "tiny"),
        [str(run_dir / "model.safetensors")],
    )
    assert len(found["model"]["training_digest"]) == 64
    assert found["model"]["bytes"] == (run_dir / "model.safetensors").stat().st_size
    assert set(found["probabilities"]) == {"roc_auc", "average_precision", "brier", "expected_calibration_error"}
    assert found["best_threshold"] is None  # not from the test


def test_seen_pictures_are_refused_with_exit_code_4(lesionctl, run_dir, other_split_path, seen_ids):
    done = lesionctl("eval", run_dir, other_split_path, *CPU)
    assert (done.returncode, done.stdout) == (4, "")
    assert f"error: run has seen {len(seen_ids)} of the 3 pictures of" in done.stderr
    assert f"(same file: {len(seen_ids)})" in done.stderr
    assert "hint: --seen skip leaves them out, --seen mark scores all" in done.stderr


def test_marked_pictures_are_named_in_title_warning_and_csv(lesionctl, run_dir, other_split_path, seen_ids, tmp_path):
    words = ("eval", run_dir, other_split_path, "--seen", "mark", "--csv", "rows.csv")
    shown = lesionctl(*words, "--against", run_dir, *CPU, *QUICK)
    assert shown.returncode == 0
    seen = f"{len(seen_ids)} of 3 seen in training"
    assert f"3 pictures in 2 groups, at the masks' own size (run (1): {seen}; run (2): {seen})" in shown.stdout
    assert "warning: run (1) has seen" in shown.stderr
    with (tmp_path / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["id"] for row in rows if row["seen"] == "1"} == seen_ids
    assert [row["prediction"] for row in rows] == ["run (1)"] * 3 + ["run (2)"] * 3


def test_skipped_pictures_are_left_out(evaluate, run_dir, other_split_path, seen_ids):
    result, said = evaluate(run_dir, other_split_path, *CPU, LESIONCTL_EVAL_SEEN="skip")
    assert result["n"] == 3 - len(seen_ids)
    seen = result["evaluations"][0]["seen_in_training"]
    assert (seen["pictures"], seen["of"], seen["left_out"]) == (len(seen_ids), 3, True)
    assert "they are left out" in said


def test_what_the_other_model_has_seen_is_no_test_either(
    lesionctl, evaluate, run_dir, model_file, other_split_path, seen_ids
):
    words = (model_file, other_split_path, "--against", run_dir, *CPU)
    refused = lesionctl("eval", *words)
    assert (refused.returncode, refused.stdout) == (4, "")
    result, said = evaluate(*words, "--seen", "skip")
    assert result["n"] == 3 - len(seen_ids)
    assert "warning: tiny does not say which pictures it has seen" in said
    assert result["evaluations"][0]["seen_in_training"] is None


def test_on_a_validation_split_the_best_threshold_stands_beside_the_model_s(lesionctl, model_file, folded_path):
    done = lesionctl("eval", model_file, folded_path, "--split", "val", "--fold", "1", *CPU, *QUICK)
    assert done.returncode == 0
    assert "tiny on " in done.stdout
    assert "val split of fold 1: " in done.stdout
    lines = {
        line.strip().rsplit("  ", 1)[0].strip(): line.split()[-1] for line in done.stdout.splitlines() if line.strip()
    }
    assert 0 < float(lines["best threshold here"]) < 1
    assert lines["the model's own"] == "0.40"
    assert re.search(r"No intervals: \d groups?, too few groups for an interval\.", done.stdout)


def _rounded(value):
    """The same without the last digits of numbers, in which sums of the same terms may differ."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 12) if isinstance(value, float) else value


def test_models_and_masks_are_compared_on_the_same_pictures(evaluate, run_dir, model_file, store_path, demo):
    words = (run_dir, store_path, "--against", model_file, "--against", demo / "masks", *CPU)
    result, _ = evaluate(*words, "--fail-under", "pooled.specificity=0.0")
    assert (result["schema"], result["n"]) == (2, 3)
    run, tiny, masks = result["evaluations"]
    assert [side["prediction"] for side in (run, tiny, masks)] == ["run", "tiny", "masks"]
    assert (masks["model"], masks["probabilities"]) == (None, {})
    assert masks["failures"] == []  # that it holds masks for the other splits too is no fault
    assert masks["per_image"]["dice"]["mean"] == masks["pooled"]["dice"]["value"] == 1
    assert [(pair["one"], pair["other"]) for pair in result["comparisons"]] == [
        *(("run", "tiny"), ("run", "masks"), ("tiny", "masks"))
    ]
    against_truth = result["comparisons"][1]["differences"]
    for name, found in run["per_image"].items():
        difference = against_truth[name]
        assert difference["difference"] == pytest.approx(found["mean"] - masks["per_image"][name]["mean"], abs=1e-9)
        assert difference["wins"] + difference["ties"] + difference["losses"] == 3
    # Two groups are too few for an interval, and so for a verdict.
    assert (against_truth["dice"]["losses"], against_truth["dice"]["verdict"]) == (3, None)

    alone, _ = evaluate(model_file, store_path, *CPU)
    assert _rounded(alone["evaluations"]) == _rounded([tiny])


def test_a_model_against_itself_is_ahead_nowhere(evaluate, model_file, store_path):
    result, _ = evaluate(model_file, store_path, "--against", model_file, *CPU)
    differences = result["comparisons"][0]["differences"].values()
    assert {(found["difference"], found["ties"], found["verdict"], found["p_holm"]) for found in differences} == {
        (0, 3, None, 1)
    }


def test_several_models_are_scored_as_one(lesionctl, evaluate, run_dir, model_file, store_path, tmp_path):
    for number in range(2):
        shutil.copytree(run_dir, tmp_path / "cross" / f"fold-{number}")
    words = (model_file, model_file, store_path, "--against", model_file, "--against", "cross", "--against", run_dir)
    twice, once, folds, run = evaluate(*words, *CPU)[0]["evaluations"]
    assert (twice["prediction"], twice["model"]["name"], folds["prediction"]) == ("tiny + tiny", "tiny ×2", "cross")
    assert twice["model"]["parameters"] == 2 * once["model"]["parameters"]
    assert (twice["per_image"], folds["per_image"]) == (once["per_image"], run["per_image"])
    assert folds["seen_in_training"] == run["seen_in_training"]
    assert len(folds["model"]["files"]) == 2

    refused = lesionctl("export", "cross")
    assert refused.returncode == 2
    assert "holds the models of a cross-validation" in refused.stderr


# folders of masks


def test_what_is_wrong_with_predictions_is_named(lesionctl, folders, tmp_path):
    pred, truth = folders
    done = lesionctl("eval", "--pred", pred, "--truth", truth, "--csv", "rows.csv", *QUICK)
    assert done.returncode == 3
    assert f"pred on {truth}: 5 pictures in 5 groups, at the masks' own size" in done.stdout
    assert "error: 4 of 6 inputs failed, the rest are done:" in done.stderr
    assert f"{pred / 'C.png'}: 30×40 pixels, its truth 60×40" in done.stderr
    assert f"{pred / 'D.png'}: not a picture" in done.stderr
    assert f"{truth / 'E_segmentation.png'}: pred has no prediction for it" in done.stderr
    assert f"{pred / 'F.png'}: a prediction without a truth" in done.stderr
    assert f"warning: {pred / 'B.png'}: it holds the grey values 20 and 220" in done.stderr
    with (tmp_path / "rows.csv").open(newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert [(row["failed"], row["dice"]) for row in rows.values()] == [
        *[("0", "1.000000")] * 2,
        *[("1", "0.000000")] * 3,
    ]
    assert list(rows["A"])[:6] == ["prediction", "id", "source", "group", "seen", "failed"]
    assert rows["A"]["nsd_5px"] == "1.000000"


def test_a_demand_that_is_not_met_leaves_with_exit_code_4(evaluate, folders):
    pred, truth = folders
    words = ("--pred", pred, "--truth", truth, "--fail-under", "dice=0.88", "--fail-under", "pooled.precision=1")
    result, said = evaluate(*words, exit_code=4)
    assert len(result["evaluations"][0]["failures"]) == 4
    assert [remark["path"] for remark in result["evaluations"][0]["remarks"]] == [str(pred / "B.png")]
    assert "warning: 4 of 6 inputs failed" in said
    # Two of five are right, and of the three others nothing is found: their Dice is 0. No pixel is wrongly taken.
    error = said[said.index("error: ") :]
    assert "pred does not reach what --fail-under demands:\n  dice is 0.4000, and 0.88 is demanded" in error
    assert "precision" not in error


def test_masks_of_a_store_s_pictures(evaluate, store_path, demo):
    words = ("--pred", demo / "masks", store_path, "--tolerance", "2px", "--tolerance", "2.5%", "--tolerance", "2px")
    result, _ = evaluate(*words, "--fail-under", "nsd_2.5%=1", LESIONCTL_EVAL_GROUP_BY="x")
    (found,) = result["evaluations"]
    assert [name for name in found["per_image"] if name.startswith("nsd")] == ["nsd_2px", "nsd_2.5pct"]
    assert (found["pooled"]["jaccard"], result["split"]) == ({"value": 1, "low": None, "high": None}, "test")


def test_masks_of_0_and_1_fail_by_name_and_a_truth_leaves_its_picture_out(evaluate, folders):
    pred, truth = folders
    for path in (truth / "A_segmentation.png", pred / "B.png"):
        Image.fromarray(np.asarray(Image.open(path)) // 200).save(path)
    result, said = evaluate("--pred", pred, "--truth", truth, exit_code=3)
    reason = "its highest value is 1: nothing in it is above 128 (save lesion as 255)"
    assert result["truths"]["left_out"] == [{"path": str(truth / "A_segmentation.png"), "reason": reason}]
    assert {"path": str(pred / "B.png"), "reason": reason} in result["evaluations"][0]["failures"]
    assert result["n"] == 4
    assert f"{truth / 'A_segmentation.png'}: {reason}" in said


def test_what_is_not_known_of_some_pictures_is_warned_of_with_counts(lesionctl, folders, tmp_path):
    pred, truth = folders
    (tmp_path / "table.csv").write_text("image,sex\nA.jpg,female\nB.jpg,male\n")
    (tmp_path / "images").mkdir()
    for name, width in (("A", 60), ("B", 61)):
        Image.new("RGB", (width, 40), (200, 150, 130)).save(tmp_path / "images" / f"{name}.png")
    words = ("--pred", pred, "--truth", truth, "--metadata", "table.csv", "--by", "sex", "--images", "images")
    done = lesionctl("eval", *words, "--report", "it.md", *QUICK)
    for said in (
        "3 of 5 pictures are not in table.csv",
        "3 of 5 pictures are without a picture in images",
        "1 of 5 pictures is unreadable, or of another size than the true mask, and not shown",
    ):
        assert f"warning: {said}\n" in done.stderr
        assert f"**not known of all**: {said}\n" in (tmp_path / "it.md").read_text()
    (tmp_path / "table.csv").write_text("image,sex\nX.jpg,female\n")
    refused = lesionctl("eval", *words)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "table.csv has no row of these pictures: its ids are like 'X.jpg', theirs like 'A'" in refused.stderr


def test_metadata_give_groups_and_subgroups(evaluate, demo, folders, tmp_path):
    pred, truth = folders
    (tmp_path / "table.csv").write_text("image,sex,lesion\nA,female,1\nB,female,1\nC,male,2\nD,male,2\nE,,3\n")
    words = ("--pred", pred, "--truth", truth, "--metadata", "table.csv", "--by", "sex", "--group-by", "lesion")
    result, _ = evaluate(*words, exit_code=3)
    assert (result["n"], result["groups"]) == (5, 3)
    parts = [part for part in result["evaluations"][0]["subgroups"] if part["column"] == "sex"]
    assert [(part["value"], part["n"], part["figures"]["dice"]["mean"]) for part in parts] == [
        *(("male", 2, 0), ("not stated", 1, 0), ("female", 2, 1))
    ]


def test_reports_are_written_before_what_failed_is_told(lesionctl, folders, tmp_path):
    pred, truth = folders
    words = ("--pred", pred, "--truth", truth, "--against", truth, "--report", "it.md", "--report", "it.html")
    done = lesionctl("eval", *words, *QUICK)
    assert done.returncode == 3
    assert "report: it.md\n" in done.stderr
    assert "report: it.html\n" in done.stderr
    assert "pred less truth, mean per image" in done.stdout
    assert "lesionctl eval --pred" in (tmp_path / "it.md").read_text()
    assert (tmp_path / "it.html").read_text().startswith("<!doctype html>")


# what train has to do with it


def test_train_refuses_a_validation_that_its_ancestor_has_seen(lesionctl, run_dir, store_path, tmp_path):
    words = ("train", store_path, "--init", run_dir, "--out", "run", "--size", "64", "--epochs", "1", *CPU)
    refused = lesionctl(*words)
    assert refused.returncode == 4
    assert "has seen 2 of the 2 pictures of the validation split in training (same file: 2)" in refused.stderr
    assert "--allow-seen" in refused.stderr
    assert not (tmp_path / "run").exists()

    marked = lesionctl(*words, "--allow-seen", "--json")
    assert marked.returncode == 0
    assert "the scores are marked" in marked.stderr
    seen = json.loads(marked.stdout)["validation_seen_by_ancestor"]
    assert seen == {"pictures": 2, "of": 2, "by": {"sha256": 2}}

    again = lesionctl("--config", "run/config.toml", "train", store_path, "--out", "run")
    assert again.returncode == 0  # the run's own record gives the same run, which has nothing left to do
    assert "(2 of 2 pictures seen by its ancestor)" in again.stderr


def test_allow_seen_is_about_an_ancestor(lesionctl, store_path):
    done = lesionctl("train", store_path, "--out", "run", "--encoder", "resnet18", "--allow-seen")
    assert done.returncode == 2
    assert "--allow-seen is about a model to start from, not --encoder" in done.stderr
