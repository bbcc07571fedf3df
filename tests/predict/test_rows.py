"""Tables grow row by row, survive a kill at any byte, and never swallow a file that is something else."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from lesionctl.errors import LesionctlError, UsageError
from lesionctl.imaging.measures import Measures
from lesionctl.predict.records import COLUMNS, Prediction
from lesionctl.predict.rows import CsvRows, JsonLines

BOTH = pytest.mark.parametrize("form", [CsvRows, JsonLines])
NAMES = ["a.jpg", "sub/b, the second.jpg", 'c "quoted".jpg', "ä ; λ.jpg", "two\nlines\r.jpg", "no\udcffutf8.jpg"]


def predicted(name, pixels=50):
    measures = Measures(pixels, 0.5, 1, (1, 2, 3, 4), (2.0, 3.0), 2.8, 0.1, 1.2, ("red", "black"))
    return Prediction(
        image=Path(name),
        mask=Path("masks") / name,
        overlay=None,
        probabilities=None,
        width=100,
        height=100,
        measures=measures,
        confidence=0.9,
        flags=("very small", "low"),
        seconds=0.01,
        model="tiny",
        model_digest="cd" * 32,
        threshold=0.4,
    )


def write(form, path, names, pixels=50):
    rows = form(path)
    for name in names:
        rows.add(predicted(name, pixels))
    rows.close()


def read(form, path):
    text = path.read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines())) if form is CsvRows else [json.loads(x) for x in text.splitlines()]


def test_csv_holds_what_a_row_holds(tmp_path):
    write(CsvRows, tmp_path / "rows.csv", ["a.jpg"])
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[1] == (
        "a.jpg,masks/a.jpg,,,100,100,50,0.5,1,1,2,3,4,2.0,3.0,2.8,0.1,1.2,2,red; black,0.9,very small; low,0.01,tiny,"
        + "cd" * 32
        + ",0.4"
    )


def test_json_lines_are_the_rows(tmp_path):
    write(JsonLines, tmp_path / "rows.jsonl", ["a.jpg", "ä.jpg"])
    assert read(JsonLines, tmp_path / "rows.jsonl") == [predicted(name).to_dict() for name in ("a.jpg", "ä.jpg")]


@BOTH
def test_any_name_is_one_line_and_known_again(form, tmp_path):
    path = tmp_path / "new" / "rows"
    write(form, path, NAMES)
    assert len(path.read_bytes().splitlines()) == len(NAMES) + (form is CsvRows)
    rows = form(path)
    assert all(Path(name) in rows for name in NAMES)
    assert Path("other.jpg") not in rows
    before = path.read_bytes()
    for name in NAMES:
        rows.add(predicted(name))  # they are not written twice
    rows.close()
    assert path.read_bytes() == before


@BOTH
def test_each_row_is_in_the_file_at_once(form, tmp_path):
    rows = form(tmp_path / "rows")
    for count, name in enumerate(NAMES, start=1):
        rows.add(predicted(name))
        assert len(read(form, tmp_path / "rows")) == count
    rows.close()


@BOTH
def test_a_file_cut_at_any_byte_is_gone_on_with(form, tmp_path):
    path = tmp_path / "rows"
    names = NAMES[3:]
    write(form, path, names)
    whole = path.read_bytes()
    for cut in range(0, len(whole), 13):
        path.write_bytes(whole[:cut])
        write(form, path, names)
        assert path.read_bytes() == whole


@BOTH
@pytest.mark.parametrize("content", ["hello", "image,width\na.jpg,3\n", "[1, 2]\n", '{"image": 3}\n', "\n"])
def test_another_file_is_refused_and_left_as_it_is(form, content, tmp_path):
    path = tmp_path / "rows"
    path.write_text(content)
    with pytest.raises(UsageError, match="line 1 is not what would be written there") as refusal:
        form(path)
    assert refusal.value.hint == "choose another name, or move it away"
    assert path.read_text() == content


@BOTH
def test_a_whole_line_that_is_no_row_is_refused_by_its_number(form, tmp_path):
    path = tmp_path / "rows"
    write(form, path, ["a.jpg", "b.jpg"])
    damaged = path.read_bytes() + b'{"image": "c.jpg"}\n'
    path.write_bytes(damaged)
    with pytest.raises(UsageError, match=f"line {3 + (form is CsvRows)} "):
        form(path)
    assert path.read_bytes() == damaged


@BOTH
def test_rows_of_what_is_predicted_anew_are_replaced(form, tmp_path):
    path = tmp_path / "rows"
    write(form, path, NAMES)
    rows = form(path)
    rows.forget([Path(NAMES[1]), Path(NAMES[4]), Path("never seen.jpg")])
    assert Path(NAMES[1]) not in rows
    rows.add(predicted(NAMES[1], pixels=70))
    rows.close()
    found = read(form, path)
    assert [str(row["lesion_pixels"]) for row in found] == ["50", "50", "50", "50", "70"]
    assert found[-1]["image"] == NAMES[1]
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows"]


@BOTH
def test_a_place_that_cannot_be_written_to_is_named(form, tmp_path):
    with pytest.raises(LesionctlError, match=f"{tmp_path} cannot be written"):
        form(tmp_path)


def test_what_nothing_was_found_in_has_empty_cells(tmp_path):
    nothing = Measures(0, 0.0, 0, None, None, None, None, None, None)
    rows = CsvRows(tmp_path / "rows")
    rows.add(replace(predicted("a.jpg"), measures=nothing, confidence=None, flags=()))
    rows.close()
    row = read(CsvRows, tmp_path / "rows")[0]
    assert (row["lesion_pixels"], row["left"], row["colours"], row["flags"]) == ("0", "", "", "")
