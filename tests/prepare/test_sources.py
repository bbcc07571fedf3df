"""Folders, tables and fetched sets: what each lists, and what is said of files that are no pair."""

from __future__ import annotations

from pathlib import Path

import pytest

from lesionctl.dataset.samples import Split
from lesionctl.errors import BadFile, UsageError
from lesionctl.prepare.findings import Kind
from lesionctl.prepare.sources import FolderSource, Record, TableSource, find_source


def test_folder_takes_its_own_name(demo):
    source = FolderSource.at(demo)
    assert source == FolderSource("demo", None, demo / "images", demo / "masks", demo / "metadata.csv")
    assert len(source.list().records) == 12


def test_name_of_the_current_folder_is_its_own(demo, monkeypatch):
    monkeypatch.chdir(demo)
    assert FolderSource.at(Path()).name == "demo"


@pytest.mark.parametrize(("there", "missing"), [("images", "masks"), ("masks", "images")])
def test_folder_without_one_of_its_parts_is_refused(tmp_path, there, missing):
    (tmp_path / there).mkdir()
    with pytest.raises(UsageError, match=f"has no folder '{missing}'"):
        FolderSource.at(tmp_path)


def test_metadata_are_optional(make_set):
    assert make_set("set", 1).metadata is None


def test_files_that_are_no_pair_are_found_under_their_pictures_id(tmp_path):
    for name in (
        "images/A.jpg", "masks/A_mask.png",
        "images/B.jpg",
        "masks/C_Segmentation.png",
        "images/D.jpg", "images/D.png", "masks/D_lesion.bmp",
    ):  # fmt: skip
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    listing = FolderSource.at(tmp_path / "set").list()
    assert [record.id for record in listing.records] == ["A"]
    images, masks = tmp_path / "set" / "images", tmp_path / "set" / "masks"
    assert [(found.kind, found.source, found.id, found.path, found.detail) for found in listing.findings] == [
        (Kind.PICTURE_WITHOUT_MASK, "set", "B", images / "B.jpg", "a picture without a mask"),
        (Kind.MASK_WITHOUT_PICTURE, "set", "C", masks / "C_Segmentation.png", "a mask without a picture"),
        (Kind.SHARED_NAME, "set", "D", images / "D.jpg", "3 files share the id D"),
        (Kind.SHARED_NAME, "set", "D", images / "D.png", "3 files share the id D"),
        (Kind.SHARED_NAME, "set", "D", masks / "D_lesion.bmp", "3 files share the id D"),
    ]


def test_link_that_leads_nowhere_is_listed_for_the_audit_to_name(make_set):
    source = make_set("set", 1)
    (source.images / "A.jpg").symlink_to("gone.jpg")
    (source.masks / "A.png").symlink_to("gone.png")
    assert [record.id for record in source.list().records] == ["A", "I00"]


def test_table_lists_pairs_relative_to_its_own_folder(tmp_path, write_table):
    table = write_table(
        f"image,mask,id,source\nimages/A.jpg,../masks/A.png,,\n{tmp_path}/B.jpg,B.png,second,hospital\n",
        "deep/mine.csv",
    )
    source = find_source(str(table))
    assert source == TableSource("mine", table=table)
    deep = tmp_path / "deep"
    assert source.list().records == [
        Record("mine", "A", deep / "images" / "A.jpg", deep / ".." / "masks" / "A.png"),
        Record("hospital", "second", tmp_path / "B.jpg", deep / "B.png"),
    ]
    assert source.list().findings == []


@pytest.mark.parametrize(
    ("rows", "line"),
    [("image,mask\nA.jpg,A.png\nB.jpg,\n", 3), ("image,mask\n\n,A.png\n", 3), ("file,mask\nA.jpg,A.png\n", 2)],
    ids=["no mask", "no image", "no such column"],
)
def test_row_that_does_not_name_its_files_is_named_by_its_line(write_table, rows, line):
    with pytest.raises(BadFile, match=rf"mine\.csv: line {line} does not name an image and a mask"):
        TableSource("mine", table=write_table(rows, "mine.csv")).list()


def test_rows_that_share_an_id_are_all_left_out_because_none_is_the_right_one(tmp_path, write_table):
    table = write_table("image,mask\np1/1.jpg,a.png\np1/2.jpg,b.png\np2/1.jpg,c.png\n", "mine.csv")
    listing = TableSource("mine", table=table).list()
    assert [record.id for record in listing.records] == ["2"]
    assert [(found.kind, found.id, found.path, found.detail) for found in listing.findings] == [
        (Kind.SHARED_NAME, "1", tmp_path / "p1" / "1.jpg", "2 files share the id 1"),
        (Kind.SHARED_NAME, "1", tmp_path / "p2" / "1.jpg", "2 files share the id 1"),
    ]


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """The folder of a fetched set of two pictures in a cache."""
    monkeypatch.setenv("LESIONCTL_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "sets" / "isic0"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    return folder


def test_fetched_set_is_found_by_its_name(fetched):
    assert find_source("isic0") == FolderSource("isic0", None, fetched / "images", fetched / "masks")
    assert find_source("isic0:val").only is Split.VALIDATION


def test_folder_of_the_same_name_comes_before_a_fetched_set(fetched, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for part in ("images", "masks"):
        (tmp_path / "isic0" / part).mkdir(parents=True)
    assert find_source("isic0") == FolderSource("isic0", None, Path("isic0/images"), Path("isic0/masks"))


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("isic1", "there is no folder, table or fetched set 'isic1'", "sets are fetched with: lesionctl fetch isic1"),
        ("isic1:test", "there is no folder, table or fetched set", "sets are fetched with: lesionctl fetch isic1"),
        (
            "../sets/isic0",
            "there is no folder, table or fetched set '../sets/isic0'",
            "name a folder, a CSV file, or a set that was fetched",
        ),
        ("isci1", "there is no folder, table or fetched set 'isci1'", "did you mean 'isic1'?"),
        ("isic0:tran", "'tran' is no part of a set", "did you mean 'train'?"),
        ("isic0:all", "'all' is no part of a set", "write NAME:train, NAME:val or NAME:test"),
    ],
)
def test_what_is_not_there_is_a_usage_error(fetched, tmp_path, monkeypatch, text, message, hint):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message) as caught:
        find_source(text, {"isic1"})
    assert caught.value.hint == hint
