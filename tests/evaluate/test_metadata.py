"""Tables as people have them: which rows are of which pictures, what is known of them, and of how many nothing is."""

from __future__ import annotations

import pytest

from lesionctl.errors import BadFile, UsageError
from lesionctl.evaluate.metadata import read_columns


def read(tables, columns, ids="ABCD"):
    """The columns alone."""
    return read_columns(tables, columns, list(ids))[0]


@pytest.fixture
def write_table(tmp_path):
    """A function that writes a table and returns its path."""

    def write(text, name="metadata.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


def test_columns_of_a_spreadsheets_table_by_id(write_table):
    table = write_table("\ufeffisic_id,sex,age\r\nA,female, 45 \r\nB,,50\r\nC,unknown,NA\r\n")
    assert read([table], ["sex", "age"]) == {"A": {"sex": "female", "age": "45"}, "B": {"age": "50"}, "C": {}}
    assert read([table], ["age"])["A"] == {"age": "45"}


def test_first_row_that_says_something_is_right(write_table):
    one = write_table("image_id,sex\nA,\nA,female\nA,male\nB,NA\n", "one.csv")
    other = write_table("site,id,sex\narm,A,male\nleg,B,male\narm,D,female\n", "other.csv")
    assert read([one, other], ["sex", "site"]) == {
        "A": {"sex": "female", "site": "arm"},
        "B": {"sex": "male", "site": "leg"},
        "D": {"sex": "female", "site": "arm"},
    }


def test_rows_without_an_id_are_no_pictures(write_table):
    table = write_table("id,sex\n,male\nA,female\n  \n")
    assert read([table], ["sex"]) == {"A": {"sex": "female"}}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("ISIC_0000001_downsampled", "ISIC_0000001_downsampled"),
        ("isic_0000002", "isic_0000002"),
        ("003", "003"),
        (" A.1 ", "A.1"),  # no suffix of a picture
        ("A.jpg", "A"),
        ("images/A.JPEG", "A"),
        ("A.v2.png", "A.v2"),
        ("e\u0301", "\u00e9"),  # the same letter
    ],
)
def test_ids_are_the_names_of_picture_files(write_table, written, name):
    assert read([write_table(f"id,sex\n{written},male\n")], ["sex"], [name]) == {name: {"sex": "male"}}


def test_ids_with_decomposed_letters_are_known_by_composed_ones(write_table):
    columns, gaps = read_columns([write_table("id,sex\n\u00e9,male\n")], ["sex"], ["e\u0301"])
    assert (columns, gaps) == ({"\u00e9": {"sex": "male"}}, [])


@pytest.mark.parametrize(("rows", "like"), [("ISIC_1,male\nISIC_2,male\n", "ISIC_1"), (",male\n", ""), ("a,f\n", "a")])
def test_a_table_of_other_pictures_is_refused_with_an_id_of_each(write_table, rows, like):
    table = write_table("name,sex\n" + rows)
    with pytest.raises(UsageError, match=f"its ids are like '{like}', theirs like 'A'") as caught:
        read_columns([table], ["sex"], ["A", "B"])
    assert str(table) in caught.value.what
    assert "isic_id, image_id, image_name, id, image, or else in the first" in caught.value.hint


def test_pictures_that_no_table_has_are_counted(write_table):
    one, other = write_table("id,sex\nA,f\nX,f\n", "one.csv"), write_table("id,sex\nB,\n", "other.csv")
    assert read_columns([one, other], ["sex"], ["A", "B"])[1] == []
    (gap,) = read_columns([one], ["sex"], ["A", "B", "C"])[1]
    assert str(gap) == f"2 of 3 pictures are not in {one}"
    (gap,) = read_columns([one, other], ["sex"], ["A", "B", "C"])[1]
    assert str(gap) == f"1 of 3 pictures is not in {one} or {other}"


def test_without_tables_nothing_is_amiss():
    assert read_columns([], [], ["A"]) == ({}, [])


@pytest.mark.parametrize(
    ("column", "hint"),
    [
        ("age", "did you mean 'age_approx'?"),
        ("Anatom_Site", "did you mean 'anatom_site_general'?"),
        ("SEX", "did you mean 'sex'?"),
        ("hospital", "known: isic_id, age_approx, sex, anatom_site_general"),
    ],
)
def test_column_that_no_table_has_is_named_with_near_ones(write_table, column, hint):
    tables = [write_table("isic_id,age_approx\nA,45\n", "1.csv"), write_table("isic_id,sex,anatom_site_general\nA,,\n")]
    with pytest.raises(UsageError, match=f"no table of metadata has the column '{column}'") as caught:
        read(tables, ["sex", column])
    assert caught.value.hint == hint


def test_column_without_any_table_hints_at_metadata():
    with pytest.raises(UsageError, match="no table of metadata has the column 'sex'") as caught:
        read([], ["sex"])
    assert caught.value.hint == "name the table with --metadata FILE.csv"


@pytest.mark.parametrize("column", ["lesion area", "skin tone", "diagnosis", "source"])
def test_what_is_automatic_need_not_be_asked_for(write_table, column):
    for tables in ([], [write_table("id,sex\nA,f\n")]):
        with pytest.raises(UsageError, match=f"no table of metadata has the column '{column}'") as caught:
            read(tables, [column])
        assert caught.value.hint == f"'{column}' is automatic: where it is known, it is told without --by"


def test_a_table_with_semicolons_is_told_to_be_one(write_table):
    with pytest.raises(UsageError, match="no table of metadata has the column 'sex'") as caught:
        read([write_table("id;sex\nA;f\n")], ["sex"])
    assert caught.value.hint == "a table is separated by semicolons: save it with commas"


def test_decimal_commas_in_a_table_with_semicolons_are_told_to_be_that(write_table):
    with pytest.raises(BadFile, match="line 2 has more cells than the header") as caught:
        read([write_table("id;age;area\nA;45;1,5\n")], ["age"])
    assert caught.value.hint == "a table is separated by semicolons: save it with commas"


def test_column_that_is_there_but_says_nothing_is_no_mistake(write_table):
    assert read([write_table("id,sex\nA,\n")], ["sex"]) == {"A": {}}


def test_table_that_cannot_be_read_is_a_bad_file(tmp_path):
    with pytest.raises(BadFile, match=r"none\.csv"):
        read([tmp_path / "none.csv"], ["sex"])
