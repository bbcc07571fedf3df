"""Folders that hold pairs, and what tables of metadata say of who belongs together."""

from __future__ import annotations

import pytest

from lesionctl.errors import BadFile, UsageError
from lesionctl.prepare.sources import Source, read_group_keys


@pytest.fixture
def table(tmp_path):
    def write(text, name="metadata.csv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def test_source_takes_its_folders_name(demo):
    source = Source.from_folder(demo)
    assert source == Source("demo", demo / "images", demo / "masks", demo / "metadata.csv")
    assert len(source.pairs().pairs) == 12


def test_name_of_the_current_folder_is_its_own(demo, monkeypatch):
    monkeypatch.chdir(demo)
    assert Source.from_folder(demo.__class__(".")).name == "demo"


@pytest.mark.parametrize(("there", "missing"), [("images", "masks"), ("masks", "images")])
def test_source_without_one_of_its_folders_is_refused(tmp_path, there, missing):
    (tmp_path / there).mkdir()
    with pytest.raises(UsageError, match=f"has no folder '{missing}'"):
        Source.from_folder(tmp_path)


def test_metadata_are_optional(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    assert Source.from_folder(tmp_path).metadata is None


def test_lesion_and_patient_are_keys_by_default(table):
    path = table("isic_id,lesion_id,patient_id,age\nI1,L1,P1,40\nI2,L1,,40\nI3,,,\n")
    assert read_group_keys([path], []) == {
        "I1": {"lesion_id=L1", "patient_id=P1"},
        "I2": {"lesion_id=L1"},
        "I3": set(),
    }


@pytest.mark.parametrize("column", ["isic_id", "image_id", "image", "image_name", "id", "something"])
def test_column_of_ids(table, column):
    path = table(f"{column},lesion_id\nI1,L1\n")
    assert read_group_keys([path], []) == {"I1": {"lesion_id=L1"}}


def test_known_column_of_ids_is_found_wherever_it_stands(table):
    path = table("lesion_id,image_id\nL1,I1\n")  # HAM10000's order
    assert read_group_keys([path], []) == {"I1": {"lesion_id=L1"}}


def test_columns_that_were_asked_for_replace_the_default(table):
    path = table("isic_id,lesion_id,site\nI1,L1,arm\n")
    assert read_group_keys([path], ["site"]) == {"I1": {"site=arm"}}


def test_tables_add_up(table):
    one = table("isic_id,lesion_id\nI1,L1\n", "one.csv")
    other = table("image_id,patient_id\nI1,P1\nI2,P1\n", "other.csv")
    assert read_group_keys([one, other], ["lesion_id", "patient_id"]) == {
        "I1": {"lesion_id=L1", "patient_id=P1"},
        "I2": {"patient_id=P1"},
    }


def test_table_of_a_spreadsheet_with_a_byte_order_mark_is_read(table):
    assert read_group_keys([table("\ufeffisic_id,lesion_id\r\nI1,L1\r\n")], []) == {"I1": {"lesion_id=L1"}}


def test_column_that_no_table_has_is_refused(table):
    with pytest.raises(UsageError, match="no table of metadata has the column 'hospital'"):
        read_group_keys([table("isic_id,lesion_id\nI1,L1\n")], ["lesion_id", "hospital"])


def test_column_without_any_table_hints_at_metadata():
    with pytest.raises(UsageError) as caught:
        read_group_keys([], ["lesion_id"])
    assert caught.value.hint == "name the table with --metadata FILE.csv"


def test_nothing_asked_and_nothing_there_is_no_keys():
    assert read_group_keys([], []) == {}


def test_table_that_cannot_be_read_is_a_bad_file(tmp_path):
    with pytest.raises(BadFile, match="is no table of metadata"):
        read_group_keys([tmp_path / "missing.csv"], [])
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81" * 10)
    with pytest.raises(BadFile, match="is no table of metadata"):
        read_group_keys([tmp_path / "binary.csv"], [])
