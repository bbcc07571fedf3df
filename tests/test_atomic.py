"""Files and directories appear whole or not at all, whatever goes wrong on the way."""

from __future__ import annotations

import os

import pytest

from lesionctl.atomic import new_directory, write_bytes, write_text
from lesionctl.errors import ExitCode, LesionctlError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_written_file_holds_the_content_and_nothing_lies_beside_it(tmp_path):
    write_bytes(tmp_path / "a.bin", b"\x00\xff")
    assert (tmp_path / "a.bin").read_bytes() == b"\x00\xff"
    assert names(tmp_path) == ["a.bin"]


def test_text_is_utf8(tmp_path):
    write_text(tmp_path / "a.txt", "2×3")
    assert (tmp_path / "a.txt").read_bytes() == b"2\xc3\x973"


def test_file_is_replaced(tmp_path):
    (tmp_path / "a").write_text("old and longer")
    write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "new"


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    (tmp_path / "plain_directory").mkdir()
    write_bytes(tmp_path / "a", b"")
    with new_directory(tmp_path / "directory"):
        pass
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert (tmp_path / "directory").stat().st_mode == (tmp_path / "plain_directory").stat().st_mode


@pytest.mark.parametrize("name", ["x" * 255, "ü" * 120])
def test_longest_names_can_be_written(tmp_path, name):
    write_bytes(tmp_path / name, b"1")
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_failed_write_keeps_the_old_file_and_leaves_no_part(tmp_path, monkeypatch, error):
    (tmp_path / "a").write_text("old")

    def fail(*_):
        raise error

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(type(error)):
        write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_missing_directory_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_bytes(tmp_path / "missing" / "a", b"")


def test_directory_appears_only_when_the_block_ends(tmp_path):
    out = tmp_path / "deep" / "down" / "out"
    with new_directory(out) as part:
        (part / "a").write_text("1")
        assert not out.exists()
        assert part.name.startswith(".")
    assert names(out.parent) == ["out"]
    assert (out / "a").read_text() == "1"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failed_block_leaves_nothing(tmp_path, error):
    def fill_and_fail():
        with new_directory(tmp_path / "out") as part:
            (part / "a").write_text("1")
            raise error

    with pytest.raises(error):
        fill_and_fail()
    assert names(tmp_path) == []


def test_existing_directory_is_refused(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(LesionctlError, match="out exists already") as caught, new_directory(tmp_path / "out"):
        pytest.fail("the block must not run")
    assert caught.value.exit_code is ExitCode.FAILED
    assert "--overwrite" in caught.value.hint


def test_existing_directory_is_replaced_on_request(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    with new_directory(tmp_path / "out", overwrite=True) as part:
        (part / "new").touch()
        assert names(tmp_path / "out") == ["old"]
    assert names(tmp_path / "out") == ["new"]
    assert names(tmp_path) == ["out"]


def test_failed_replacement_keeps_the_old_directory(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    with pytest.raises(ValueError, match="stop"), new_directory(tmp_path / "out", overwrite=True):
        raise ValueError("stop")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["old"]
