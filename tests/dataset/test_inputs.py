"""What a person names: files, folders and patterns, each picture once."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from lesionctl.dataset.inputs import Input, find_inputs
from lesionctl.dataset.marks import Made, mark
from lesionctl.dataset.own_files import OwnFiles
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
        (["deep/**/*.tif"], False, ["er/d.tif"]),
        (["./deep/**/*.*"], False, ["c.webp", "er/d.tif"]),
        (["d*/*.webp"], False, ["deep/c.webp"]),
        (["**/*.tif"], False, ["deep/er/d.tif"]),
        (["deep/er/*"], False, ["d.tif"]),
        (["d*/../*.jpg"], False, ["[x].jpg", "a.jpg"]),
        (["empty/../deep/e?/*"], False, ["er/d.tif"]),
        (["b.PNG", "a.jpg"], False, ["b.PNG", "a.jpg"]),
        (["a.jpg", "./a.jpg", "*.jpg"], False, ["a.jpg", "[x].jpg"]),
    ],
)
def test_pictures_in_the_order_of_the_names(names, recursive, expected):
    assert places(*names, recursive=recursive) == expected


def test_an_absolute_pattern_keeps_the_folders_below_its_fixed_part(tmp_path):
    assert places(f"{tmp_path}/deep/**/*.tif") == ["er/d.tif"]
    assert places(f"{tmp_path}/*/*.webp") == ["deep/c.webp"]


def test_a_pattern_passes_over_what_this_program_wrote():
    written = ["a_segmentation.png", "a_overlay.jpg", "deep/c_probability.png"]
    for name in written:
        Path(name).write_bytes(mark(b"\x89PNG\r\n\x1a\n".ljust(33), Made.MASK))
    own = OwnFiles()
    assert [str(item.place) for item in find_inputs(["**/*.[jp]*g"], own=own)] == ["[x].jpg", "a.jpg"]
    assert sorted(map(str, own.left_out)) == sorted(written)
    assert places(*written) == ["a_segmentation.png", "a_overlay.jpg", "c_probability.png"]  # named one by one
    with pytest.raises(UsageError, match=r"'\*\.png' matches nothing but files that this program wrote"):
        find_inputs(["*.png"])


def test_a_folder_of_nothing_but_own_files_says_so():
    Path("own").mkdir()
    for name in ("a_segmentation.png", "a_overlay.jpg"):
        (Path("own") / name).touch()
    assert places("own") == ["a_overlay.jpg", "a_segmentation.png"]  # whose they are cannot be told
    (Path("own") / ".lesionctl").mkdir()
    row = {"overlay": "masks/a_overlay.jpg", "probabilities": None}
    line = json.dumps({"mask": "a_segmentation.png", "row": row})
    (Path("own") / ".lesionctl" / "masks.1-of-1.jsonl").write_text(line + "\n" + line[:20])
    with pytest.raises(UsageError, match="own holds nothing but files that this program wrote"):
        find_inputs(["own"])


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


def test_unreadable_place_is_no_crash():
    with pytest.raises(UsageError, match="there is no file or folder"):
        find_inputs(["a.jpg/b.jpg"])
    with pytest.raises(UsageError, match="there is no file or folder"):
        find_inputs(["x" * 5000])


def test_link_is_a_picture_of_its_own_name_and_a_folder_may_be_named_twice():
    Path("linked.jpg").symlink_to("a.jpg")
    Path("other").symlink_to("deep")
    assert places("a.jpg", "linked.jpg") == ["a.jpg", "linked.jpg"]
    assert places("deep", "other", "deep/../deep") == ["c.webp"]


def listed(content, **options):
    return find_inputs(["-"], stdin=io.BytesIO(content), **options)


@pytest.mark.parametrize(
    ("content", "null", "expected"),
    [
        (b"a.jpg\nb.PNG\n", False, ["a.jpg", "b.PNG"]),
        (b"a.jpg\nb.PNG", False, ["a.jpg", "b.PNG"]),
        (b"\n\na.jpg\n\n\nb.PNG\n\n", False, ["a.jpg", "b.PNG"]),
        (b"\xef\xbb\xbfa.jpg\r\nb.PNG\r\n", False, ["a.jpg", "b.PNG"]),  # from Windows
        (b"a.jpg\0b.PNG\0", True, ["a.jpg", "b.PNG"]),
        (b"with\nnewline.jpg\0 spaces .jpg\0\0", True, ["with\nnewline.jpg", " spaces .jpg"]),
        (b" spaces .jpg\n", False, [" spaces .jpg"]),
        (b"missing.jpg\na.jpg\n", False, ["missing.jpg", "a.jpg"]),  # whoever reads it says so
        (b"a.jpg\n./a.jpg\ndeep/../a.jpg\na.jpg\n", False, ["a.jpg"]),
        (b"*.jpg\n", False, ["*.jpg"]),  # no pattern: a list is made by a program
    ],
)
def test_list_on_standard_input(content, null, expected):
    assert [str(item.path) for item in listed(content, null=null)] == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("deep/er/d.tif", "deep/er/d.tif"),
        ("./deep/er/d.tif", "deep/er/d.tif"),
        ("/data/a/IM1.jpg", "data/a/IM1.jpg"),
        ("/data/../../a/./IM1.jpg", "a/IM1.jpg"),
        ("//data/IM1.jpg", "data/IM1.jpg"),
        ("../../other/d.tif", "other/d.tif"),
        ("deep/../../d.tif", "d.tif"),
        ("..", "."),
        ("/", "."),
    ],
)
def test_place_of_a_listed_path_never_leads_out(path, expected):
    assert listed(path.encode()) == [Input(Path(path), Path(expected))]


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems want names to be text")
def test_name_that_is_no_text_survives():
    name = b"caf\xe9.jpg"
    Path(os.fsdecode(name)).write_bytes(b"content")
    by_list, by_folder = listed(name)[0], find_inputs(["."])[3]
    assert by_list.path == by_folder.path
    assert by_list.path.read_bytes() == b"content"


def test_process_reads_its_own_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"b.PNG\n")))
    assert places("a.jpg", "-", "[[]x].jpg") == ["a.jpg", "b.PNG", "[x].jpg"]  # in the order of the names


def test_list_in_a_file_comes_after_the_names():
    Path("list.txt").write_text("deep/c.webp\na.jpg\n")
    inputs = find_inputs(["a.jpg"], files_from=Path("list.txt"))
    assert inputs == [Input(Path("a.jpg"), Path("a.jpg")), Input(Path("deep/c.webp"), Path("deep/c.webp"))]
    Path("list.txt").write_bytes(b"b.PNG\0")
    assert find_inputs([], files_from=Path("list.txt"), null=True) == [Input(Path("b.PNG"), Path("b.PNG"))]


def test_list_that_cannot_be_used_is_a_usage_error():
    with pytest.raises(UsageError, match=r"the list missing\.txt cannot be read \(No such file or directory\)"):
        find_inputs([], files_from=Path("missing.txt"))
    with pytest.raises(UsageError, match="standard input lists no files"):
        listed(b"\n\n")
    with pytest.raises(UsageError, match="separated by NUL characters") as caught:
        listed(b"a.jpg\0b.PNG\0")
    assert caught.value.hint == "pass -0"
