"""All sources together: pairs with what the tables say of them, and each under one name."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from lesionctl.dataset.samples import Split
from lesionctl.errors import UsageError
from lesionctl.prepare.findings import Kind
from lesionctl.prepare.listing import list_records
from lesionctl.prepare.sources import FolderSource, TableSource


def test_records_have_their_ids_and_metadata_as_keys(make_set, write_table):
    source = make_set("set", 3, "isic_id,lesion_id,split,dx\nI00,L1,test,nevus\nI01,L1,,\n")
    more = write_table("id,patient_id\nI01,P1\n", "more.csv")
    found = list_records([source], [more])
    assert [(record.id, set(record.keys), record.split, record.diagnosis) for record in found.records] == [
        ("I00", {"id=I00", "lesion_id=L1"}, Split.TEST, "nevus"),
        ("I01", {"id=I01", "lesion_id=L1", "patient_id=P1"}, None, ""),
        ("I02", {"id=I02"}, None, ""),
    ]
    assert found.findings == []


def test_rows_of_a_table_are_metadata_too(write_table):
    table = write_table("image,mask,group,split,diagnosis\nA.jpg,A.png,g1,valid,bcc\nB.jpg,B.png,,,\n", "mine.csv")
    first, second = list_records([TableSource("mine", table=table)]).records
    assert (first.keys, first.split, first.diagnosis) == ({"id=A", "group=g1"}, Split.VALIDATION, "bcc")
    assert (second.keys, second.split, second.diagnosis) == ({"id=B"}, None, "")


def test_columns_to_group_by_are_looked_for_in_tables_of_pairs_too(write_table):
    table = write_table("image,mask,hospital,lesion_id\nA.jpg,A.png,north,L1\n", "mine.csv")
    (record,) = list_records([TableSource("mine", table=table)], group_by=["hospital"]).records
    assert record.keys == {"id=A", "hospital=north"}


SPLITS = "image_id,split\nI00,train\nI01,test\nI02,train\nI03,test\nI04,train\n"


def test_part_of_a_set_is_its_pictures_of_that_split_and_what_is_wrong_with_these(make_set):
    source = make_set("set", 5, SPLITS)
    (source.masks / "I03_segmentation.png").unlink()
    (source.masks / "I04_segmentation.png").unlink()
    only_test = list_records([replace(source, only=Split.TEST)])
    assert [record.id for record in only_test.records] == ["I01"]
    assert [(found.kind, found.id) for found in only_test.findings] == [(Kind.PICTURE_WITHOUT_MASK, "I03")]


def test_two_parts_of_a_set_go_together(make_set):
    source = make_set("set", 5, SPLITS)
    both = list_records([replace(source, only=Split.TEST), replace(source, only=Split.TRAIN)])
    assert [record.id for record in both.records] == ["I01", "I03", "I00", "I02", "I04"]


def test_part_that_a_set_does_not_hold_is_a_usage_error(make_set):
    with pytest.raises(UsageError, match="set holds no pictures with masks of its part 'val'") as caught:
        list_records([replace(make_set("set", 5, SPLITS), only=Split.VALIDATION)])
    assert caught.value.hint == "parts of sets are fetched with: lesionctl fetch set:val"


def test_two_sources_of_one_name_with_the_same_picture_are_refused(make_set):
    first, second = make_set("a/set", 2), make_set("b/set", 3)
    assert first.name == second.name == "set"
    with pytest.raises(UsageError, match="two sources have the same name, set, and both hold I00"):
        list_records([first, second])


def test_table_that_repeats_a_folder_is_refused(make_set, write_table):
    source = make_set("set", 1)
    table = write_table("image,mask,source\nimages/I00.jpg,masks/I00_segmentation.png,set\n", "set/mine.csv")
    with pytest.raises(UsageError, match="two sources have the same name, set, and both hold I00"):
        list_records([source, TableSource("mine", table=table)])


def test_file_whose_name_is_not_utf8_is_named_and_the_others_are_listed(make_set):
    source = make_set("set", 2)
    strange = os.fsencode(source.images) + b"/I\xfc.jpg"
    os.rename(source.images / "I01.jpg", strange)  # noqa: PTH104 - a path of bytes
    os.rename(source.masks / "I01_segmentation.png", os.fsencode(source.masks) + b"/I\xfc.png")  # noqa: PTH104
    found = list_records([FolderSource.at(source.images.parent)])
    assert [record.id for record in found.records] == ["I00"]
    assert [(entry.kind, os.fsencode(entry.path)) for entry in found.findings] == [(Kind.UNUSABLE, strange)]
