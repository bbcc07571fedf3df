"""The program's own files are told from pictures by what is known of them, not by their names alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lesionctl.dataset.marks import Made, mark
from lesionctl.dataset.own_files import OwnFiles
from lesionctl.imaging.masks import encode_mask


@pytest.fixture
def folder(tmp_path):
    """A picture, and a mask that a manifest two folders above knows."""
    inner = tmp_path / "masks" / "ward" / "1"
    inner.mkdir(parents=True)
    (inner / "a.jpg").touch()
    (tmp_path / "masks" / ".lesionctl").mkdir()
    row = {"overlay": None, "probabilities": "x"}
    lines = [{"mask": "ward/1/b_segmentation.png", "row": row}, {"mask": 3}, 7, {"row": {}}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "masks" / ".lesionctl" / "masks.1-of-4.jsonl").write_text(text)
    return inner


@pytest.mark.parametrize(
    ("name", "is_own"),
    [
        ("a.jpg", False),
        ("a_segmentation.png", True),  # beside its picture
        ("a_overlay.jpg", False),  # nothing says that it is an overlay
        ("b_segmentation.png", True),  # in the manifest
        ("b_probability.png", True),
        ("b_overlay.jpg", False),  # the manifest says that there is none
        ("c_segmentation.png", False),
        ("c_overlay.jpg", False),
        ("a_segmentation.jpg", False),
        ("_overlay.jpg", False),
    ],
)
def test_own_is_what_lies_beside_its_picture_or_is_in_a_manifest(folder, name, is_own):
    own = OwnFiles()
    assert own.leave_out(folder / name) is is_own
    assert own.left_out == [folder / name] * is_own


@pytest.mark.parametrize(
    ("name", "is_own"),
    [("c_overlay.jpg", True), ("c_segmentation.png", True), ("Look.PNG", True), ("look.jpg", False)],
)
def test_own_is_what_has_the_mark_wherever_it_was_moved_to(folder, name, is_own):
    (folder / name).write_bytes(mark(encode_mask(np.eye(3, dtype=bool)), Made.CONTACT_SHEET))
    assert OwnFiles().leave_out(folder / name) is is_own


def test_files_about_all_pictures_are_those_of_all_shares_in_their_own_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    own = OwnFiles([Path("look.png"), folder.parent / "rows.csv"])
    names = ["look.png", "./look.3-of-8.png", "../1/look.png", "../look.png", "look.3-of-8.jpg", "rows.csv", "x.png"]
    assert [own.is_about_all(Path(name)) for name in names] == [True, True, True, False, False, False, False]


def test_each_is_counted_once_however_it_is_spelled(folder, monkeypatch):
    monkeypatch.chdir(folder)
    own = OwnFiles()
    name = "a_segmentation.png"
    for path in (Path(name), folder / name, Path("../1") / name):
        assert own.leave_out(path)
    assert own.left_out == [Path(name)]


def test_all_below_the_folder_of_manifests_is_own():
    assert OwnFiles().leave_out(Path("masks/.lesionctl/x.png"))
