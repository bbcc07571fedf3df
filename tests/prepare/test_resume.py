"""Killed at any moment, the same command goes on to the same store; what is left of other work never gets into it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from lesionctl.dataset.store import open_store
from lesionctl.errors import ExitCode, Interrupted, LesionctlError
from lesionctl.imaging.masks import encode_mask
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.prepare import prepare as prepare_module
from lesionctl.prepare.audit import audit_pair
from lesionctl.prepare.prepare import PrepareOptions, prepare
from lesionctl.progress import Silent

SMALL = PrepareOptions(size=32)


class Crash(Exception):
    pass


def contents(store):
    return {path.name: path.read_bytes() for path in store.iterdir()}


@pytest.fixture
def source(make_set):
    """23 pairs: the third and the last cannot be used."""
    source = make_set("set", 23)
    for name in ("I02", "I22"):
        (source.images / f"{name}.jpg").write_bytes(b"no picture")
    return source


@pytest.fixture
def undisturbed(source, tmp_path):
    """The files of a store made in one go."""
    prepare([source], tmp_path / "undisturbed", SMALL)
    return contents(tmp_path / "undisturbed")


@pytest.fixture
def crash(monkeypatch):
    """A function that makes the reading of the pair of that id fail; None: of none. It lists all that was read."""
    monkeypatch.setattr(prepare_module, "_CHECKPOINT_EVERY", 4)

    def at(name):
        read = []

        def audit_or_crash(record, *arguments):
            if record.id == name:
                raise Crash
            read.append(record.id)
            return audit_pair(record, *arguments)

        monkeypatch.setattr(prepare_module, "audit_pair", audit_or_crash)
        return read

    return at


@pytest.fixture
def interrupted(source, tmp_path, crash):
    """The hidden folder of a run that crashed at the 15th pair."""
    crash("I14")
    with pytest.raises(Crash):
        prepare([source], tmp_path / "store", SMALL)
    crash(None)
    return tmp_path / ".store.part"


@pytest.mark.parametrize("number", [0, 1, 3, 4, 11, 12, 21, 22])
def test_crash_at_any_pair_costs_nothing_but_time(source, undisturbed, tmp_path, crash, number):
    crash(f"I{number:02}")
    with pytest.raises(Crash):
        prepare([source], tmp_path / "store", SMALL)
    assert not (tmp_path / "store").exists()
    assert not (tmp_path / ".store.lock").exists()
    read = crash(None)
    prepare([source], tmp_path / "store", SMALL)
    assert read == [f"I{n:02}" for n in range(number, 23)]  # what is done is not done again
    assert contents(tmp_path / "store") == undisturbed
    assert not (tmp_path / ".store.part").exists()


@pytest.mark.parametrize("number", [2, 6, 13, 22])
def test_death_without_a_last_word_costs_a_few_pairs(source, undisturbed, tmp_path, monkeypatch, crash, number):
    child = os.fork()
    if child == 0:  # nothing that is buffered gets out of here
        monkeypatch.setattr(prepare_module, "_CHECKPOINT_EVERY", 4)

        def audit_or_die(record, *arguments):
            if record.id == f"I{number:02}":
                os._exit(9)
            return audit_pair(record, *arguments)

        monkeypatch.setattr(prepare_module, "audit_pair", audit_or_die)
        try:
            prepare([source], tmp_path / "store", SMALL)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not (tmp_path / "store").exists()

    read = crash(None)
    prepare([source], tmp_path / "store", SMALL)
    assert (23 - len(read)) % 4 == 0  # up to a checkpoint
    # Reading is three pairs ahead of writing, and up to four are written since the last checkpoint.
    assert 23 - len(read) >= number - 7
    assert contents(tmp_path / "store") == undisturbed


def test_crash_after_crash_comes_to_the_same_end(source, undisturbed, tmp_path, crash):
    for number in range(0, 23, 3):
        crash(f"I{number:02}")
        with pytest.raises(Crash):
            prepare([source], tmp_path / "store", SMALL)
    crash(None)
    prepare([source], tmp_path / "store", SMALL)
    assert contents(tmp_path / "store") == undisturbed


@pytest.mark.parametrize("step", ["find_likeness", "_split", "summarise", "format_findings", "write_page"])
def test_crash_after_the_last_pair(source, tmp_path, monkeypatch, step):
    options = replace(SMALL, page=True)
    prepare([source], tmp_path / "undisturbed" / "store", options)

    def fail(*_):
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(prepare_module, step, fail)
        with pytest.raises(Crash):
            prepare([source], tmp_path / "store", options)
    assert not (tmp_path / "store").exists()
    prepare([source], tmp_path / "store", options)
    assert contents(tmp_path / "store") == contents(tmp_path / "undisturbed" / "store")


def test_page_that_a_killed_run_wrote_is_not_in_a_store_without_one(source, undisturbed, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("lesionctl.atomic._put_in_place", lambda *_: (_ for _ in ()).throw(Crash))
        with pytest.raises(Crash):
            prepare([source], tmp_path / "store", replace(SMALL, page=True))
    (tmp_path / ".store.part" / ".samples.csv.x.part").touch()
    prepare([source], tmp_path / "store", SMALL)
    assert contents(tmp_path / "store") == undisturbed


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_failure_keeps_the_old_store(source, tmp_path, monkeypatch, error):
    digest = prepare([source], tmp_path / "store", SMALL).digest

    def fail(*_):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(prepare_module, "audit_pair", fail)
        with pytest.raises(type(error)):
            prepare([source], tmp_path / "store", replace(SMALL, seed=1, overwrite=True))
    assert open_store(tmp_path / "store").info.digest == digest
    other = prepare([source], tmp_path / "store", replace(SMALL, seed=1, overwrite=True)).digest
    assert open_store(tmp_path / "store").info.digest == other != digest


# ---- what lies there is not what it should be


def test_line_that_was_cut_off_is_done_again(source, undisturbed, interrupted, tmp_path, crash):
    journal = interrupted / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-30])
    read = crash(None)
    prepare([source], tmp_path / "store", SMALL)
    assert read == [f"I{n:02}" for n in range(13, 23)]  # one more than the crash left
    assert contents(tmp_path / "store") == undisturbed


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # what was opened before is not closed
@pytest.mark.parametrize("name", ["images.npy", "masks.npy", "native_masks.npy", "native_masks.bin"])
@pytest.mark.parametrize("damage", ["short", "gone"])
def test_rows_that_were_lost_are_made_again(source, undisturbed, interrupted, tmp_path, crash, name, damage):
    if damage == "gone":
        (interrupted / name).unlink()
    else:
        (interrupted / name).write_bytes((interrupted / name).read_bytes()[:-1])
    read = crash(None)
    prepare([source], tmp_path / "store", SMALL)
    assert len(read) == 23
    assert contents(tmp_path / "store") == undisturbed


def test_rows_without_a_line_are_made_again(source, undisturbed, interrupted, tmp_path):
    for name in ("images.npy", "masks.npy", "native_masks.npy", "native_masks.bin"):
        with (interrupted / name).open("ab") as file:
            file.write(b"\xff" * 5000)
    prepare([source], tmp_path / "store", SMALL)
    assert contents(tmp_path / "store") == undisturbed


def touch(source):
    status = (source.images / "I05.jpg").stat()
    os.utime(source.images / "I05.jpg", ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))


def swap_masks(source):
    one, other = source.masks / "I05_segmentation.png", source.masks / "I06_segmentation.png"
    one.rename(source.masks / "x.png")
    other.rename(one)
    (source.masks / "x.png").rename(other)


def add_a_pair(source):
    for folder, ending in ((source.images, ".jpg"), (source.masks, "_segmentation.png")):
        (folder / f"A{ending}").write_bytes((folder / f"I05{ending}").read_bytes())


def remove_a_pair(source):
    (source.images / "I05.jpg").unlink()


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (touch, SMALL),
        (swap_masks, SMALL),
        (add_a_pair, SMALL),
        (remove_a_pair, SMALL),
        (None, replace(SMALL, size=48)),
        (None, replace(SMALL, resize=ResizeRule.PAD)),
        (None, replace(SMALL, binarise_at=128)),
    ],
    ids=["newer picture", "swapped masks", "one more", "one less", "size", "geometry", "threshold"],
)
def test_other_work_begins_anew(source, interrupted, tmp_path, crash, change, options):
    if change:
        change(source)
    read = crash(None)
    prepare([source], tmp_path / "store", options)
    listed = len(list(source.images.iterdir()))
    assert len(read) == listed
    prepare([source], tmp_path / "fresh", options)
    assert contents(tmp_path / "store") == contents(tmp_path / "fresh")


@pytest.mark.parametrize(
    "options",
    [replace(SMALL, seed=3), replace(SMALL, folds=3), replace(SMALL, page=True)],
    ids=["seed", "folds", "page"],
)
def test_another_split_of_the_same_work_goes_on(source, interrupted, tmp_path, crash, options):
    read = crash(None)
    prepare([source], tmp_path / "store", options)
    assert len(read) == 23 - 14
    prepare([source], tmp_path / "undisturbed" / "store", options)
    assert contents(tmp_path / "store") == contents(tmp_path / "undisturbed" / "store")


# ---- signals and other processes


def test_request_to_stop_keeps_what_is_done(source, undisturbed, tmp_path, monkeypatch, crash):
    class StopAfterFive(Silent):
        done = 0

        def advance(self, steps=1):
            self.done += steps
            if self.done == 5:
                signal.raise_signal(signal.SIGTERM)

        def note(self, text):
            pass

        def task(self, *_, **__):
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    with pytest.raises(Interrupted, match="stopped by SIGTERM after 6 of 23 pairs"):
        prepare([source], tmp_path / "store", SMALL, StopAfterFive())
    read = crash(None)
    prepare([source], tmp_path / "store", SMALL)
    assert read == [f"I{n:02}" for n in range(6, 23)]
    assert contents(tmp_path / "store") == undisturbed


def test_second_run_is_told_of_the_first_which_goes_on(source, undisturbed, tmp_path, monkeypatch):
    is_reading, may_go_on = threading.Event(), threading.Event()

    def audit_slowly(*arguments):
        is_reading.set()
        assert may_go_on.wait(30)
        return audit_pair(*arguments)

    monkeypatch.setattr(prepare_module, "audit_pair", audit_slowly)
    first = threading.Thread(target=prepare, args=([source], tmp_path / "store", SMALL))
    first.start()
    assert is_reading.wait(30)
    with pytest.raises(LesionctlError, match=r"another process is making .*store at this moment"):
        prepare([source], tmp_path / "store", replace(SMALL, size=16))
    may_go_on.set()
    first.join()
    assert contents(tmp_path / "store") == undisturbed
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


PICTURES, SIDE = 150, 128


@pytest.fixture
def many(tmp_path):
    """A folder of 150 pictures, which take the real program a second or more."""
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    random = np.random.default_rng(0)
    for number in range(PICTURES):
        coarse = random.integers(40, 230, (5, 6, 3)).astype(np.float32)
        image = cv2.resize(coarse, (600, 450), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
        mask = np.zeros((450, 600), np.uint8)
        cv2.circle(mask, random.integers(150, 300, 2).tolist(), int(random.integers(30, 150)), 1, cv2.FILLED)
        cv2.imwrite(str(folder / "images" / f"I{number:03}.jpg"), image)
        (folder / "masks" / f"I{number:03}.png").write_bytes(encode_mask(mask.view(bool)))
    return folder


def test_program_that_is_killed_over_and_over_makes_the_same_store(many, tmp_path):
    command = [sys.executable, "-m", "lesionctl", "prepare", str(many), "--size", str(SIDE), "--folds", "3", "--out"]
    part, out = tmp_path / ".store.part", tmp_path / "store"

    def rows():
        try:
            return (part / "images.npy").stat().st_size // (SIDE * SIDE * 3)
        except FileNotFoundError:
            return 0

    random = np.random.default_rng(0)
    ends = []
    for begin, end, how in ((1, 40, signal.SIGKILL), (66, 90, signal.SIGKILL), (95, 115, signal.SIGTERM),
                            (120, 130, signal.SIGKILL)):  # fmt: skip
        wanted = random.integers(begin, end)
        running = subprocess.Popen([*command, "store"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while running.poll() is None and rows() < wanted:
            time.sleep(0.002)
        running.send_signal(how)
        _, said = running.communicate()
        ends.append(running.returncode)
        if running.returncode == 0:  # it was faster than the hand that kills
            break
        assert not out.exists()
        if how is signal.SIGTERM:
            assert b"run the same command again to go on" in said
    assert ends[0] == -signal.SIGKILL
    assert set(ends) <= {-signal.SIGKILL, ExitCode.INTERRUPTED, 0}

    if not out.exists():
        last = subprocess.run([*command, "store"], cwd=tmp_path, check=True, capture_output=True)
        assert b"going on after" in last.stderr
    subprocess.run([*command, "undisturbed"], cwd=tmp_path, check=True, capture_output=True)
    assert contents(out) == contents(tmp_path / "undisturbed")
    assert len(open_store(out).samples) == PICTURES
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
