"""Files and directories appear whole or not at all, whatever goes wrong on the way."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from filelock import FileLock

from lesionctl.atomic import (
    directory_of_one,
    lock_file,
    new_directory,
    remove_leftovers,
    resumable_directory,
    unlock_file,
    write_bytes,
    write_text,
)
from lesionctl.errors import BadFile, ExitCode, GateError, Interrupted, LesionctlError, UsageError

EITHER = pytest.mark.parametrize("directory", [new_directory, resumable_directory])


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
    with new_directory(tmp_path / "directory"), resumable_directory(tmp_path / "resumable"):
        pass
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert (tmp_path / "directory").stat().st_mode == (tmp_path / "plain_directory").stat().st_mode
    assert (tmp_path / "resumable").stat().st_mode == (tmp_path / "plain_directory").stat().st_mode


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


@EITHER
def test_directory_appears_only_when_the_block_ends(tmp_path, directory):
    out = tmp_path / "deep" / "down" / "out"
    with directory(out) as part:
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


@EITHER
def test_existing_directory_is_refused(tmp_path, directory):
    (tmp_path / "out").mkdir()
    with pytest.raises(LesionctlError, match="out exists already") as caught, directory(tmp_path / "out"):
        pytest.fail("the block must not run")
    assert caught.value.exit_code is ExitCode.FAILED
    assert "--overwrite" in caught.value.hint
    assert names(tmp_path) == ["out"]


@EITHER
def test_existing_directory_is_replaced_on_request(tmp_path, directory):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    with directory(tmp_path / "out", overwrite=True) as part:
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


def fill_and_fail(path, name, error=ValueError, **options):
    with resumable_directory(path, **options) as part:
        (part / name).write_text(name)
        raise error


STOPS = [
    ValueError,
    KeyboardInterrupt,
    SystemExit,
    GateError("leaks"),
    Interrupted("stopped by SIGTERM"),
    UsageError("too few"),
]


@pytest.mark.parametrize("error", STOPS)
def test_next_block_goes_on_with_what_a_failed_one_left(tmp_path, error):
    for name in "ab":
        with pytest.raises(error if isinstance(error, type) else type(error)):
            fill_and_fail(tmp_path / "out", name, error)
        assert names(tmp_path) == [".out.part"]
    with resumable_directory(tmp_path / "out") as part:
        assert names(part) == ["a", "b"]
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["a", "b"]


@pytest.mark.parametrize("error", [LesionctlError("no pair"), BadFile("a.csv", "damaged")])
def test_what_no_other_command_can_mend_leaves_nothing_to_go_on_with(tmp_path, error):
    with pytest.raises(type(error)):
        fill_and_fail(tmp_path / "out", "a", error)
    assert names(tmp_path) == []


def test_failed_replacement_keeps_the_old_directory_beside_what_is_done(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    with pytest.raises(ValueError):  # noqa: PT011 - its own
        fill_and_fail(tmp_path / "out", "new", overwrite=True)
    assert names(tmp_path) == [".out.part", "out"]
    assert names(tmp_path / "out") == ["old"]
    with resumable_directory(tmp_path / "out", overwrite=True):
        pass
    assert names(tmp_path / "out") == ["new"]
    assert names(tmp_path) == ["out"]


def test_second_block_at_the_same_time_is_refused(tmp_path):
    with resumable_directory(tmp_path / "out") as part:
        (part / "mine").touch()
        refused = pytest.raises(LesionctlError, match=r"another process is making .*out at")
        with refused as caught, resumable_directory(tmp_path / "out"):
            pytest.fail("the block must not run")
        assert names(part) == ["mine"]
        with pytest.raises(LesionctlError, match="another process"), resumable_directory(tmp_path / "out"):
            pytest.fail("the refusal must not open the lock")
    assert caught.value.hint == "wait for it"
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["mine"]


def test_lock_of_a_killed_process_holds_nobody_up(tmp_path):
    program = (
        "import os, sys, pathlib, lesionctl.atomic as atomic\n"
        "with atomic.resumable_directory(pathlib.Path(sys.argv[1])) as part:\n"
        "    (part / 'done').touch()\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "out")], check=False)
    assert done.returncode == -9
    assert names(tmp_path) == [".out.lock", ".out.part"]
    with resumable_directory(tmp_path / "out") as part:
        assert names(part) == ["done"]
    assert names(tmp_path) == ["out"]


def test_directory_that_another_process_finished_meanwhile_is_not_made_twice(tmp_path, monkeypatch):
    acquire = FileLock.acquire

    def finish_first(self, *arguments, **options):
        (tmp_path / "out").mkdir()
        return acquire(self, *arguments, **options)

    monkeypatch.setattr(FileLock, "acquire", finish_first)
    with pytest.raises(LesionctlError, match="exists already"), resumable_directory(tmp_path / "out"):
        pass
    assert names(tmp_path) == ["out"]


def test_directory_of_one_is_made_tidied_and_kept(tmp_path):
    path = tmp_path / "deep" / "run"
    with directory_of_one(path):
        (path / "log").write_text("a line")
    (path / ".state.pt.abc.part").write_bytes(b"half of it")
    with directory_of_one(path):
        pass
    assert [child.name for child in path.iterdir()] == ["log"]


def test_directory_of_one_goes_again_where_nothing_came_into_it(tmp_path):
    with pytest.raises(UsageError), directory_of_one(tmp_path / "run"):
        raise UsageError("no such option")
    assert list(tmp_path.iterdir()) == []


def test_directory_of_one_is_for_one_process_at_a_time(tmp_path):
    with (
        directory_of_one(tmp_path / "run"),
        pytest.raises(LesionctlError, match="another process works in"),
        directory_of_one(tmp_path / "run"),
    ):
        pass


def leave_a_part(path, monkeypatch):
    """Begin to write a file as a process does that is killed then; returns the part."""

    def killed(*_, **__):
        raise KeyboardInterrupt

    before = set(path.parent.iterdir())
    monkeypatch.setattr("os.fsync", killed)
    monkeypatch.setattr("pathlib.Path.unlink", killed)  # as if there had been no time to tidy up
    with pytest.raises(KeyboardInterrupt):
        write_bytes(path, b"content")
    monkeypatch.undo()
    (part,) = set(path.parent.iterdir()) - before
    return part


def test_what_a_killed_process_left_is_removed_by_name(tmp_path, monkeypatch):
    long = "a very long name of a picture from some camera"  # its first 32 characters are another's too
    mine, theirs = (tmp_path / f"{long}_{number}_segmentation.png" for number in (1, 2))
    parts = [leave_a_part(path, monkeypatch) for path in (mine, theirs, tmp_path / "a.png")]
    for name in (".a.png.part", ".a.png.12345678.part", "a.png"):
        (tmp_path / name).touch()
    remove_leftovers([mine, tmp_path / "a.png", tmp_path / "nowhere" / "c.png"])
    assert names(tmp_path) == sorted([parts[1].name, ".a.png.part", ".a.png.12345678.part", "a.png"])


@pytest.mark.parametrize("name", ["mask.png", "x" * 255, "no\udcffutf8.png"])
def test_the_name_under_which_a_file_is_written_is_one_that_can_be_found_again(tmp_path, monkeypatch, name):
    leave_a_part(tmp_path / name, monkeypatch)
    remove_leftovers([tmp_path / name])
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_one_process_has_is_refused_to_another_by_name(tmp_path):
    lock = lock_file(tmp_path / "rows.csv")
    with pytest.raises(LesionctlError, match=r"another process is writing .*rows\.csv"):
        lock_file(tmp_path / "rows.csv")
    unlock_file(lock)
    unlock_file(lock_file(tmp_path / "rows.csv"))
    assert list(tmp_path.iterdir()) == []
