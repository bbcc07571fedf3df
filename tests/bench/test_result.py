from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from lesionctl.bench.case import What
from lesionctl.bench.result import BenchResult
from lesionctl.errors import BadFile

WORK = {"parameters": 10, "multiply_adds": 1000, "moved": 5, "moved_once": 1, "file_bytes": 44}


@pytest.fixture
def result(make_row):
    row = make_row(work=WORK, device_turns=((0.25,),), share={"of_operations": 0.5, "of_bandwidth": None})
    failed = make_row(case=replace(row.case, what=What.TRAIN), runs_on="", turns=(), reason="out of memory")
    pictures = {"count": 3, "drawn": True, "bytes": 9, "digest": "ab"}
    environment = {"torch": "2", "gpus": ["A", "B"]}
    return BenchResult(environment, (row, failed), ({"bound": "decode"},), pictures)


def test_a_result_comes_back_from_json_as_it_was(result, tmp_path):
    path = tmp_path / "before.json"
    path.write_text(json.dumps(result.to_dict()))
    assert BenchResult.read(path) == result


def test_json_has_the_samples_and_the_figures_that_follow_from_them(result):
    written = result.to_dict()
    assert written["schema"] == 1
    first, second = written["cases"]
    assert first["turns"] == ((0.5, 0.5),) * 4
    assert first["figures"]["images_per_second"] == 4
    assert first["device_figures"]["p50_ms"] == 250
    assert (second["figures"], second["reason"]) == (None, "out of memory")


def test_what_failed_is_told_apart(result):
    assert [(case.what, reason) for case, reason in result.failed] == [("train", "out of memory")]
    stages = {"case": replace(result.rows[0].case, what=What.STAGES).to_dict(), "reason": "bad.jpg"}
    assert [reason for _, reason in replace(result, stages=(stages,)).failed] == ["out of memory", "bad.jpg"]
    assert result.base_of(result.rows[0]) is result.rows[0]
    assert result.base_of(result.rows[1]) is None


def test_csv_has_a_line_for_each_case_with_the_same_columns(result):
    first, second = csv.DictReader(io.StringIO(result.to_csv()))
    assert (first["what"], first["images_per_second"], first["parameters"], first["device_p50_ms"]) == (
        "network", "4.0", "10", "250.0",
    )  # fmt: skip
    assert (second["reason"], second["images_per_second"]) == ("out of memory", "")
    assert first["size"] == "0"  # the model's own
    assert (first["environment_torch"], first["environment_gpus"]) == ("2", "A; B")
    assert replace(result, rows=()).to_csv() == result.to_csv().splitlines(keepends=True)[0]


@pytest.mark.parametrize("content", ["{}", "[]", "no json", '{"schema": 2, "environment": {}, "cases": []}'])
def test_another_file_is_refused_by_name(content, tmp_path):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(BadFile, match=r"other\.json: is not what 'lesionctl bench --json' printed"):
        BenchResult.read(path)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(BadFile, match=r"none\.json: cannot be read"):
        BenchResult.read(tmp_path / "none.json")


def test_a_row_is_named_by_what_ran_and_in_what_it_differs(make_row):
    row = make_row()
    assert row.name == "torch fp32 cpu"
    assert replace(row, case=replace(row.case, compiled=True, threads=2)).name == "torch fp32 cpu compiled 2 threads"
    assert replace(row, case=replace(row.case, size=384)).name == "torch fp32 cpu at 384 px"
    assert replace(row, runs_on="").name == "torch fp32 cpu"  # as it was asked for
