"""What a person names: files, folders and patterns, each picture once."""

from __future__ import annotations

from pathlib import Path

import pytest

from lesionctl.dataset.inputs import Input, find_inputs
from lesionctl.errors import UsageError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    for name in ("a.jpg", "b.PNG", "notes.txt", "deep/c.webp", "deep/er/d.tif", "[x].jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)


def places(*names, recursive=False):
    return [str(item.place) for item in find_inputs(list(names), recursive=recursive)]


@pytest.mark.parametrize(
    ("names", "recursive", "expected"),
    [
        (["a.jpg"], False, ["a.jpg"]),
        (["deep/c.webp"], False, ["c.webp"]),
        (["notes.txt"], False, ["notes.txt"]),  # a file that was named is taken whatever its suffix
        (["[x].jpg"], False, ["[x].jpg"]),  # a name that stands for itself is no pattern
        (["."], False, ["[x].jpg", "a.jpg", "b.PNG"]),
        (["."], True, ["[x].jpg", "a.jpg", "b.PNG", "deep/c.webp", "deep/er/d.tif"]),
        (["deep"], True, ["c.webp", "er/d.tif"]),
        (["*.jpg"], False, ["[x].jpg", "a.jpg"]),
        (["deep/**/*.tif"], False, ["d.tif"]),
        (["b.PNG", "a.jpg"], False, ["b.PNG", "a.jpg"]),
        (["a.jpg", "./a.jpg", "*.jpg"], False, ["a.jpg", "[x].jpg"]),
    ],
)
def test_pictures_in_the_order_of_the_names(names, recursive, expected):
    assert places(*names, recursive=recursive) == expected


def test_input_has_its_path_beside_its_place(tmp_path):
    assert find_inputs([str(tmp_path / "deep")]) == [Input(tmp_path / "deep" / "c.webp", Path("c.webp"))]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.jpg", r"there is no file or folder 'missing\.jpg'"),
        ("*.gif", "there is no file or folder"),
        ("empty", "empty holds no pictures"),
    ],
)
def test_name_that_stands_for_nothing_is_a_usage_error(name, message):
    with pytest.raises(UsageError, match=message):
        find_inputs(["a.jpg", name])


def test_folder_of_folders_hints_at_looking_deeper():
    Path("outer/inner").mkdir(parents=True)
    Path("outer/inner/e.jpg").touch()
    with pytest.raises(UsageError) as caught:
        find_inputs(["outer"])
    assert caught.value.hint == "look deeper with --recursive"
    assert places("outer", recursive=True) == ["inner/e.jpg"]
