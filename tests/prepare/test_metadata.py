"""What tables of metadata say: who belongs together, which split a picture is meant for, what was diagnosed."""

from __future__ import annotations

import pytest

from lesionctl.dataset.samples import Split
from lesionctl.errors import BadFile, UsageError
from lesionctl.prepare.metadata import Metadata, Notes


def read(*tables, group_by=()):
    metadata = Metadata(group_by)
    for table in tables:
        metadata.read(table)
    metadata.check_columns()
    return metadata


def keys(metadata, *ids):
    return {name: metadata.of("set", name).keys for name in ids}


def test_lesion_patient_and_group_are_keys_by_default(write_table):
    table = write_table("isic_id,lesion_id,patient_id,group,age\nI1,L1,P1,G,40\nI2,L1,,,40\nI3,,,,\n")
    assert keys(read(table), "I1", "I2", "I3", "I4") == {
        "I1": {"lesion_id=L1", "patient_id=P1", "group=G"},
        "I2": {"lesion_id=L1"},
        "I3": set(),
        "I4": set(),
    }


@pytest.mark.parametrize("column", ["isic_id", "image_id", "image", "image_name", "id", "something"])
def test_column_of_ids(write_table, column):
    assert keys(read(write_table(f"{column},lesion_id\nI1,L1\n")), "I1") == {"I1": {"lesion_id=L1"}}


def test_known_column_of_ids_is_found_wherever_it_stands(write_table):
    assert keys(read(write_table("lesion_id,image_id\nL1,I1\n")), "I1") == {"I1": {"lesion_id=L1"}}  # HAM10000's order


def test_columns_that_were_asked_for_replace_the_default(write_table):
    table = write_table("isic_id,lesion_id,site\nI1,L1,arm\n")
    assert keys(read(table, group_by=["site"]), "I1") == {"I1": {"site=arm"}}


def test_keys_of_all_tables_add_up(write_table):
    one = write_table("isic_id,lesion_id\nI1,L1\n", "one.csv")
    other = write_table("image_id,patient_id\nI1,P1\nI2,P1\n", "other.csv")
    assert keys(read(one, other), "I1", "I2") == {"I1": {"lesion_id=L1", "patient_id=P1"}, "I2": {"patient_id=P1"}}


def test_table_of_a_spreadsheet_with_a_byte_order_mark_is_read(write_table):
    assert keys(read(write_table("\ufeffisic_id,lesion_id\r\nI1,L1\r\n")), "I1") == {"I1": {"lesion_id=L1"}}


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("train", Split.TRAIN), ("Training", Split.TRAIN), ("val", Split.VALIDATION), ("valid", Split.VALIDATION),
        ("VALIDATION", Split.VALIDATION), ("test", Split.TEST), ("testing", Split.TEST), ("", None),
    ],
)  # fmt: skip
def test_words_for_splits(write_table, text, split):
    assert read(write_table(f"id,split\nA,{text}\n")).of("set", "A").split is split


def test_another_word_for_a_split_is_named_with_its_line(write_table):
    with pytest.raises(BadFile, match=r"metadata\.csv: line 3: 'holdout' is no split"):
        read(write_table("id,split\nA,train\nB,holdout\n"))


@pytest.mark.parametrize("column", ["diagnosis", "dx", "diagnosis_1"])
def test_diagnosis(write_table, column):
    assert read(write_table(f"id,{column}\nA,nevus\nB,\n")).of("set", "A") == Notes(diagnosis="nevus")


def test_first_table_that_has_a_diagnosis_is_right(write_table):
    tables = [
        write_table(text, name)
        for name, text in (("1.csv", "id,dx\nA,\n"), ("2.csv", "id,dx\nA,bcc\n"), ("3.csv", "id,dx\nA,mel\n"))
    ]
    assert read(*tables).of("set", "A").diagnosis == "bcc"


def test_each_set_means_a_picture_for_its_own_split(write_table):
    metadata = Metadata()
    metadata.read(write_table("id,split\nA,train\nB,train\n", "new.csv"), "new")
    metadata.read(write_table("id,split\nA,test\nC,test\n", "old.csv"), "old")
    assert metadata.of("new", "A").split is Split.TRAIN
    assert metadata.of("old", "A").split is Split.TEST
    assert metadata.of("own pictures", "C").split is Split.TEST  # what no table of its own speaks of


def test_a_table_for_all_overrules_those_of_the_sources(write_table):
    metadata = Metadata()
    metadata.read(write_table("id,split\nA,train\n", "set.csv"), "set")
    metadata.read(write_table("id,split\nA,val\nB,\n", "mine.csv"))
    assert metadata.of("set", "A").split is Split.VALIDATION
    assert metadata.of("set", "B").split is None


def test_column_that_no_table_has_is_refused(write_table):
    with pytest.raises(UsageError, match="no table of metadata has the column 'hospital'"):
        read(write_table("isic_id,lesion_id\nI1,L1\n"), group_by=["lesion_id", "hospital"])


def test_column_without_any_table_hints_at_metadata():
    with pytest.raises(UsageError) as caught:
        read(group_by=["lesion_id"])
    assert caught.value.hint == "name the table with --metadata FILE.csv"


def test_nothing_asked_and_nothing_there_is_no_notes():
    assert read().of("set", "A") == Notes()


@pytest.mark.parametrize("nothing", ["", " ", "NA", "n/a", "unknown", "None", "nan"])
def test_words_for_nothing_join_no_pictures(tmp_path, nothing):
    table = tmp_path / "table.csv"
    table.write_text(f"id,lesion_id,patient_id\nA,{nothing},P1\nB,{nothing},P2\n")
    metadata = Metadata()
    metadata.read(table)
    assert metadata.of("set", "A").keys == {"patient_id=P1"}
