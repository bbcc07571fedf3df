"""JSON under its schema, and CSV, of figures that are worked out by hand."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields
from importlib.resources import files
from types import SimpleNamespace

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from lesionctl import __version__
from lesionctl.dataset.exposure import KINDS, SeenCount
from lesionctl.dataset.samples import Split
from lesionctl.errors import Failure
from lesionctl.evaluate.analysis import analyse
from lesionctl.evaluate.cases import Cases
from lesionctl.evaluate.comparison import Verdict
from lesionctl.evaluate.evaluation import Evaluation, ImageScore, ModelFacts, Origin
from lesionctl.evaluate.gaps import Gap
from lesionctl.evaluate.tables import SCHEMA, to_csv, to_dict
from lesionctl.imaging.postprocess import Postprocess
from lesionctl.scoring.counts import Counts
from lesionctl.scoring.group_histograms import GroupHistograms
from lesionctl.scoring.probability import ProbabilityHistogram

FACTS = [{"sex": "female", "id (metadata)": "a, b"}, {"sex": "male", "id (metadata)": ""}, {"sex": "male"}]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
RIGHT = Counts(tp=10, tn=90)  # Dice 1, Jaccard 1
HALF = Counts(tp=10, fp=10, fn=10, tn=70)  # Dice 1/2, Jaccard 1/3
MISSED = Counts(fn=25, tn=75)  # Dice 0


@pytest.fixture(scope="module")
def schema():
    return json.loads((files("lesionctl.evaluate") / "evaluation.schema.json").read_text())


@pytest.fixture
def valid(schema):
    """A function: what an analysis is in JSON, after it has been there and was found to be as the schema says."""

    def convert(analysis):
        result = json.loads(json.dumps(to_dict(analysis), allow_nan=False))
        Draft202012Validator(schema).validate(result)
        return result

    return convert


def side(name, *counted, failed=(), seen=None, **about):
    """An evaluation of pictures A, B, C …; A and B are of one group."""
    evaluation = Evaluation(name, **about)
    for number, counts in enumerate(counted):
        boundary = {"hd95": number, "nsd_2.5px": 0.5}
        image = ImageScore(
            LETTERS[number], "set", f"lesion={max(1, number)}", counts, boundary, seen, failed=number in failed
        )
        evaluation.images.append(image)
        evaluation.board.add(counts)
    return evaluation


def analysed(*evaluations, resamples=50, **about):
    n = len(evaluations[0].images)
    about = {"facts": (FACTS * n)[:n], **about}
    return analyse(evaluations, Cases("truth", [None] * n, **about), resamples=resamples, seed=3)


def test_the_schema_is_one_and_lets_nothing_else_pass(schema):
    Draft202012Validator.check_schema(schema)
    pending, objects = [schema], 0
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            objects += "properties" in node
            assert "properties" not in node or node["additionalProperties"] is False
            pending += node.values()
        elif isinstance(node, list):
            pending += node
    assert objects >= 12
    assert schema["properties"]["schema"]["const"] == SCHEMA == 2
    assert schema["$defs"]["evaluation"]["properties"]["confusion_pixels"]["required"] == ["tp", "fp", "fn", "tn"]


def test_the_schema_knows_what_its_types_can_say(schema):
    verdicts = schema["$defs"]["difference"]["properties"]["verdict"]["enum"]
    assert verdicts == [*map(str, (Verdict.BETTER, Verdict.TIE, Verdict.WORSE)), None]
    assert schema["properties"]["split"]["enum"] == [*map(str, Split), None]
    assert list(schema["$defs"]["seen"]["properties"]["by"]["properties"]) == list(KINDS)
    assert schema["$defs"]["seen"]["properties"]["compared_by"]["items"]["enum"] == list(KINDS)
    steps = schema["$defs"]["model"]["properties"]["postprocess"]["required"]
    assert steps == [field.name for field in fields(Postprocess)]
    known = schema["$defs"]["evaluation"]["properties"]["probabilities"]["properties"]
    assert list(known) == list(ProbabilityHistogram().figures())


def test_figures_of_a_folder_by_hand(valid):
    result = valid(analysed(side("masks", RIGHT, HALF, MISSED)))
    assert (result["n"], result["groups"], result["truth"]) == (3, 2, "truth")
    assert (result["store_digest"], result["split"], result["fold"]) == (None, None, None)
    assert result["bootstrap"] == {"resamples": 50, "seed": 3, "confidence": 0.95, "unit": "group"}
    (found,) = result["evaluations"]
    assert (found["prediction"], found["model"], found["seen_in_training"]) == ("masks", None, None)
    dice = found["per_image"]["dice"]
    assert (dice["mean"], dice["low"], dice["high"]) == (0.5, None, None)  # two groups are too few
    assert (dice["lower_quartile"], dice["median"], dice["upper_quartile"]) == (0.25, 0.5, 0.75)
    assert found["per_image"]["hd95"]["mean"] == 1
    assert found["confusion_pixels"] == {"tp": 20, "fp": 10, "fn": 35, "tn": 235}
    assert found["pooled"]["jaccard"]["value"] == pytest.approx(20 / 65)
    assert "hd95" not in found["pooled"]
    assert found["mean_confusion"]["fn"] == pytest.approx(0.35 / 3)
    assert result["program"] == f"lesionctl {__version__}"
    assert result["tolerances"] == {"nsd_2.5px": {"value": 2.5, "unit": "px"}}
    assert (found["probabilities"], found["best_threshold"], result["comparisons"]) == ({}, None, [])
    male = next(part for part in found["subgroups"] if part["value"] == "male")
    assert (male["column"], male["n"], male["groups"], male["figures"]["dice"]["mean"]) == ("sex", 2, 2, 0.25)


def test_without_resamples_there_are_no_intervals(valid):
    result = valid(analysed(side("a", RIGHT, HALF, HALF), side("b", RIGHT, RIGHT, HALF), resamples=0))
    assert result["evaluations"][0]["per_image"]["dice"]["low"] is None
    assert result["comparisons"][0]["differences"]["dice"]["verdict"] is None


def test_two_sides_are_compared(valid):
    same = [RIGHT] * 9
    one, other = side("a", RIGHT, RIGHT, HALF, *same), side("b", RIGHT, HALF, HALF, *same)
    (compared,) = valid(analysed(one, other))["comparisons"]
    assert (compared["one"], compared["other"]) == ("a", "b")
    dice = compared["differences"]["dice"]
    assert dice["difference"] == pytest.approx(0.5 / 12)
    assert (dice["wins"], dice["ties"], dice["losses"], dice["verdict"]) == (1, 11, 0, "a tie")
    assert 0 == dice["low"] < dice["high"]
    assert set(compared["differences"]) > {"dice", "hd95"}


def test_of_a_model_figures_of_probabilities_have_intervals(valid):
    evaluation = side("m", *[RIGHT] * 12, by_group=GroupHistograms())
    for number, image in enumerate(evaluation.images):
        histogram = ProbabilityHistogram()
        histogram.update(np.array([[0.9, 0.1 + 0.05 * number]], np.float32), np.array([[True, False]]))
        evaluation.board.histogram.merge(histogram)
        evaluation.by_group.add(image.group, histogram)
    (found,) = valid(analysed(evaluation))["evaluations"]
    assert list(found["probabilities"]) == list(histogram.figures())
    for estimate in found["probabilities"].values():
        assert estimate["low"] <= estimate["value"] <= estimate["high"]


def test_what_a_model_is_and_what_it_has_seen(valid, tiny_spec, tmp_path):
    (tmp_path / "m.safetensors").write_bytes(bytes(1000))
    model = ModelFacts(tiny_spec, 7, "torch fp32 on cpu", (tmp_path / "m.safetensors",))
    seen = SeenCount(1, 3, {"sha256": 1})
    origin = Origin(
        "cd" * 32, Split.VALIDATION, 0, tiny_spec.training_digest, seen, ("sha256", "id"), complete=True, left_out=False
    )
    evaluation = side("m", RIGHT, HALF, MISSED, seen=True, model=model, origin=origin, best_threshold=0.3)
    store = SimpleNamespace(info=SimpleNamespace(digest="cd" * 32))
    result = valid(analysed(evaluation, store=store, split=Split.VALIDATION, fold=0))
    assert (result["store_digest"], result["split"], result["fold"]) == ("cd" * 32, "val", 0)
    (found,) = result["evaluations"]
    assert found["model"] == {
        "name": "tiny",
        "files": [str(tmp_path / "m.safetensors")],
        "parameters": 7,
        "bytes": 1000,
        "backend": "torch fp32 on cpu",
        "threshold": 0.4,
        "postprocess": {"largest_region": False, "fill_holes": False, "smallest_area": 0.0},
        "training_digest": "ab" * 32,
        "licence": "CC0",
        "training_data": "nothing",
    }
    assert found["seen_in_training"] == {
        "pictures": 1,
        "of": 3,
        "by": {"sha256": 1},
        "compared_by": ["sha256", "id"],
        "left_out": False,
        "complete": True,
    }
    assert found["best_threshold"] == 0.3


def test_failures_and_remarks_are_named(valid, tmp_path):
    evaluation = side("masks", RIGHT, HALF, MISSED, failed=(2,))
    evaluation.failures.append(Failure(tmp_path / "C.png", "too small"))
    evaluation.remarks.append(Failure(tmp_path / "A.png", "grey"))
    about = {
        "left_out": [Failure(tmp_path / "D.png", "empty")],
        "remarks": [Failure(tmp_path / "B.png", "grey too")],
        "gaps": [Gap(2, 3, "not in table.csv")],
    }
    result = valid(analysed(evaluation, **about))
    assert result["truths"] == {
        "left_out": [{"path": str(tmp_path / "D.png"), "reason": "empty"}],
        "remarks": [{"path": str(tmp_path / "B.png"), "remark": "grey too"}],
    }
    assert result["gaps"] == [{"pictures": 2, "of": 3, "what": "not in table.csv"}]
    (found,) = result["evaluations"]
    assert found["failures"] == [{"path": str(tmp_path / "C.png"), "reason": "too small"}]
    assert found["remarks"] == [{"path": str(tmp_path / "A.png"), "remark": "grey"}]


def test_a_row_for_each_side_and_picture():
    one, other = side("a, or b", RIGHT, HALF, MISSED, failed=(2,), seen=True), side("masks", HALF, HALF, HALF)
    rows = list(csv.DictReader(io.StringIO(to_csv(analysed(one, other)))))
    assert [(row["prediction"], row["id"]) for row in rows] == [
        (name, picture) for name in ("a, or b", "masks") for picture in "ABC"
    ]
    half = rows[1]
    assert list(half)[:8] == ["prediction", "id", "source", "group", "seen", "failed", "sex", "id (metadata)"]
    assert list(half)[8:14] == ["tp", "fp", "fn", "tn", "dice", "jaccard"]
    assert [half[column] for column in ("source", "group", "seen", "failed", "sex")] == [
        *("set", "lesion=1", "1", "0", "male")
    ]
    assert [half[column] for column in ("tp", "fp", "fn", "tn", "dice", "jaccard", "hd95")] == [
        *("10", "10", "10", "70", "0.500000", "0.333333", "1.000000")
    ]
    assert (rows[0]["id (metadata)"], rows[2]["id (metadata)"]) == ("a, b", "")
    assert [row["failed"] for row in rows] == ["0", "0", "1", "0", "0", "0"]
    assert {row["seen"] for row in rows[3:]} == {""}
