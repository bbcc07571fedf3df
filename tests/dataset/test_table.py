"""Tables of metadata: rows with their lines, the column of ids, words that say nothing, files that are no tables."""

from __future__ import annotations

import pytest

from lesionctl.dataset.table import ID_COLUMNS, id_column, is_nothing, read_table
from lesionctl.errors import BadFile


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"\xff\xfe\x00\x81" * 10, "is no table that can be read"),
        (b"id\n" + b"x" * 200_000, "is no table that can be read"),
        (b"id,dx\nA,nevus\nB,nevus,brown\n", "line 3 has more cells than the header"),
    ],
    ids=["missing", "binary", "one endless cell", "more cells than columns"],
)
def test_table_that_cannot_be_read_is_a_bad_file(tmp_path, content, reason):
    if content is not None:
        (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(BadFile, match=rf"t\.csv: .*{reason}"):
        list(read_table(tmp_path / "t.csv"))


def test_rows_come_with_their_lines_and_missing_cells_are_empty(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text('id,dx\nA,nevus\n\n"B\nb",\nC\n')
    assert list(read_table(table)) == [
        (2, {"id": "A", "dx": "nevus"}),
        (5, {"id": "B\nb", "dx": ""}),  # line 3 is empty, this row ends in line 5
        (6, {"id": "C", "dx": ""}),
    ]


def test_byte_order_mark_of_a_spreadsheet_is_no_part_of_the_first_column(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfid,dx\r\nA,nevus\r\n")
    assert list(read_table(tmp_path / "t.csv")) == [(2, {"id": "A", "dx": "nevus"})]


@pytest.mark.parametrize("name", ID_COLUMNS)
def test_known_column_of_ids_is_found_wherever_it_stands(name):
    assert id_column(["lesion_id", "age", name]) == name


def test_surest_column_of_ids_comes_first_and_without_any_the_first_column():
    assert id_column(["image", "id", "isic_id"]) == "isic_id"
    assert id_column(["picture", "age"]) == "picture"


@pytest.mark.parametrize("cell", ["", "  ", "-", "?", "NA", "n/a", "NaN", "None", "NULL", " Unknown "])
def test_words_for_nothing(cell):
    assert is_nothing(cell)


@pytest.mark.parametrize("cell", ["0", "no", "none of these", "x"])
def test_words_for_something(cell):
    assert not is_nothing(cell)
