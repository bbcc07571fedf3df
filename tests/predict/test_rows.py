"""Tables grow row by row, survive a kill at any byte, and never swallow a file that is something else."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from lesionctl.errors import LesionctlError, UsageError
from lesionctl.imaging.measures import Measures
from lesionctl.predict.records import COLUMNS, Prediction
from lesionctl.predict.rows import CsvRows

OUT = Path("masks")
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


def write(path, names, pixels=50):
    rows = CsvRows(path, OUT)
    for name in names:
        rows.add(predicted(name, pixels))
    rows.close()


def read(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_csv_holds_what_a_row_holds(tmp_path):
    write(tmp_path / "rows.csv", ["a.jpg"])
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[1] == (
        "a.jpg,masks/a.jpg,,,100,100,50,0.5,1,1,2,3,4,2.0,3.0,2.8,0.1,1.2,2,red; black,0.9,very small; low,0.01,tiny,"
        + "cd" * 32
        + ",0.4"
    )


def test_any_name_is_one_line_and_known_again(tmp_path):
    path = tmp_path / "new" / "rows"
    write(path, NAMES)
    assert len(path.read_bytes().splitlines()) == len(NAMES) + 1
    before = path.read_bytes()
    write(path, NAMES)  # they are not written twice
    assert path.read_bytes() == before


def test_each_row_is_in_the_file_at_once(tmp_path):
    rows = CsvRows(tmp_path / "rows", OUT)
    for count, name in enumerate(NAMES, start=1):
        rows.add(predicted(name))
        assert len(read(tmp_path / "rows")) == count
    rows.close()


def test_a_file_cut_at_any_byte_is_gone_on_with(tmp_path):
    path = tmp_path / "rows"
    names = NAMES[3:]
    write(path, names)
    whole = path.read_bytes()
    for cut in range(0, len(whole), 13):
        path.write_bytes(whole[:cut])
        write(path, names)
        assert path.read_bytes() == whole


@pytest.mark.parametrize("content", ["hello", "image,width\na.jpg,3\n", "[1, 2]\n", "\n"])
def test_another_file_is_refused_and_left_as_it_is(content, tmp_path):
    path = tmp_path / "rows"
    path.write_text(content)
    with pytest.raises(UsageError, match="line 1 is not what would be written there") as refusal:
        CsvRows(path, OUT)
    assert refusal.value.hint == "choose another name, or move it away"
    assert path.read_text() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_whole_line_that_is_no_row_is_refused_by_its_number(tmp_path):
    path = tmp_path / "rows"
    write(path, ["a.jpg", "b.jpg"])
    damaged = path.read_bytes() + b"c.jpg,masks/c.jpg\n"
    path.write_bytes(damaged)
    with pytest.raises(UsageError, match="line 4 "):
        CsvRows(path, OUT)
    assert path.read_bytes() == damaged


def test_rows_of_what_is_predicted_anew_are_replaced(tmp_path):
    path = tmp_path / "rows"
    write(path, NAMES)
    rows = CsvRows(path, OUT)
    rows.forget([OUT / NAMES[1], OUT / NAMES[4], OUT / "never seen.jpg"])
    rows.add(predicted(NAMES[1], pixels=70))
    rows.close()
    found = read(path)
    assert [row["lesion_pixels"] for row in found] == ["50", "50", "50", "50", "70"]
    assert found[-1]["image"] == NAMES[1]
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows"]


def test_a_row_that_says_something_else_is_replaced(tmp_path):
    path = tmp_path / "rows"
    write(path, NAMES)
    write(path, NAMES[:2], pixels=70)
    assert [row["lesion_pixels"] for row in read(path)] == ["50"] * 4 + ["70"] * 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows"]


def test_a_row_that_was_replaced_when_the_process_was_killed_is_there_once_in_the_end(tmp_path):
    path = tmp_path / "rows"
    write(path, NAMES)
    older = path.read_bytes()
    write(path, NAMES, pixels=70)
    newer = path.read_bytes()
    path.write_bytes(older + newer.split(b"\n", 1)[1])  # as it is before it is closed
    write(path, [])
    assert path.read_bytes() == newer


def test_a_row_is_its_mask_s_however_picture_and_folder_are_spelled(tmp_path):
    path = tmp_path / "rows"
    write(path, ["a.jpg"])
    rows = CsvRows(path, OUT.absolute())
    other = replace(predicted("a.jpg"), image=Path("../x/a.jpg"), mask=OUT.absolute() / "a.jpg")
    rows.add(other)
    rows.close()
    assert [(row["image"], row["mask"]) for row in read(path)] == [("../x/a.jpg", str(other.mask))]


def test_one_process_at_a_time_writes_a_table(tmp_path):
    rows = CsvRows(tmp_path / "rows", OUT)
    with pytest.raises(LesionctlError, match=f"another process is writing {tmp_path / 'rows'}"):
        CsvRows(tmp_path / "rows", OUT)
    rows.close()
    write(tmp_path / "rows", ["a.jpg"])


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "rows").mkdir()
    with pytest.raises(LesionctlError, match="rows cannot be written"):
        CsvRows(tmp_path / "rows", OUT)


def test_what_nothing_was_found_in_has_empty_cells(tmp_path):
    nothing = Measures(0, 0.0, 0, None, None, None, None, None, None)
    rows = CsvRows(tmp_path / "rows", OUT)
    rows.add(replace(predicted("a.jpg"), measures=nothing, confidence=None, flags=()))
    rows.close()
    row = read(tmp_path / "rows")[0]
    assert (row["lesion_pixels"], row["left"], row["colours"], row["flags"]) == ("0", "", "", "")
