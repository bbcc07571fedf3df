"""The journal: what was written whole is read back, what was not is forgotten, and other work begins anew."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from lesionctl.imaging.appearance import Appearance
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.prepare.audit import Examination
from lesionctl.prepare.findings import Finding, Kind
from lesionctl.prepare.journal import Journal, identify_work
from lesionctl.prepare.sources import Record

LOOK = Appearance((0.1, 0.2, 1 / 3), (0.0, 0.01, 0.02), (70.1, 12.0, 20.25), None)
PAIR = Examination(
    height=450,
    width=600,
    lesion_fraction=0.123457,
    components=2,
    holes=1,
    borders=("top", "left"),
    sha256="ab" * 32,
    mask_sha256="cd" * 32,
    perceptual_hash=np.array([0, 1, 2**63, 2**64 - 1], np.uint64),
    appearance=LOOK,
)
BAD = Finding(Kind.UNUSABLE, "set", "B", Path("images/B \udcfc\n.jpg"), "cut off", "A")
ENTRIES = [PAIR, BAD, PAIR, PAIR]


def same(first, second):
    if isinstance(first, Finding) or isinstance(second, Finding):
        return first == second
    return all(np.array_equal(getattr(first, field.name), getattr(second, field.name)) for field in fields(Examination))


def assert_entries(journal, expected):
    assert len(journal.entries) == len(expected)
    assert all(map(same, journal.entries, expected))


@pytest.fixture
def written(tmp_path):
    """The file of a journal with all entries, of the work `W`."""
    journal = Journal(tmp_path, "W")
    for entry in ENTRIES:
        journal.add(entry)
    journal.close()
    return journal.path


def test_entries_are_read_back(written):
    journal = Journal(written.parent, "W")
    assert_entries(journal, ENTRIES)
    assert journal.entries[0].appearance == LOOK
    assert journal.entries[0].perceptual_hash.dtype == np.uint64
    assert len(journal.examinations) == 3


def test_later_run_goes_on(written):
    journal = Journal(written.parent, "W")
    journal.add(BAD)
    journal.close()
    assert_entries(Journal(written.parent, "W"), [*ENTRIES, BAD])


def test_entries_are_on_disk_from_the_checkpoint_on(tmp_path):
    journal = Journal(tmp_path, "W")
    journal.add(PAIR)
    journal.checkpoint()
    journal.add(BAD)
    assert_entries(Journal(tmp_path, "W"), [PAIR])  # as if the first had been killed here


def test_every_place_to_be_cut_off_at_keeps_the_whole_lines_before_it(written):
    content = written.read_bytes()
    ends = [position + 1 for position, byte in enumerate(content) if byte == ord("\n")]
    around = {end + shift for end in ends for shift in (-2, -1, 0, 1) if end + shift <= len(content)}
    for length in sorted({*range(0, len(content), 10), *around}):
        written.write_bytes(content[:length])
        journal = Journal(written.parent, "W")
        whole = max(0, sum(end <= length for end in ends) - 1)  # the first line is the header
        assert len(journal.entries) == whole
        for entry in ENTRIES[whole:]:
            journal.add(entry)
        journal.close()
        assert written.read_bytes() == content


@pytest.mark.parametrize(
    "damage", [b"\0" * 40, b"{}\n", b"[]\n", b'{"pair": {"height": 3}}\n', b"\xff\xfe\n", b'"pair"\n']
)
def test_damaged_line_ends_what_is_kept(written, damage):
    lines = written.read_bytes().splitlines(keepends=True)
    written.write_bytes(b"".join([*lines[:3], damage, *lines[4:]]))
    journal = Journal(written.parent, "W")
    assert_entries(journal, ENTRIES[:2])
    journal.close()
    assert written.read_bytes() == b"".join(lines[:3])


@pytest.mark.parametrize(
    "first_line",
    [b"", b"junk\n", b"[]\n", b'{"format": 1, "work": "other"}\n', b'{"format": 0, "work": "W"}\n'],
    ids=["nothing", "junk", "something else", "other work", "other version"],
)
def test_anything_else_is_begun_anew_and_cleared_away(written, first_line):
    lines = written.read_bytes().splitlines(keepends=True)
    written.write_bytes(b"".join([first_line, *lines[1:]]))
    (written.parent / "images.npy").touch()
    (written.parent / ".audit.csv.x.part").touch()
    journal = Journal(written.parent, "W")
    assert journal.entries == []
    journal.close()
    assert written.read_bytes() == lines[0]
    assert [path.name for path in written.parent.iterdir()] == ["journal.jsonl"]


def test_what_lies_beside_a_good_journal_stays(written):
    (written.parent / "images.npy").touch()
    Journal(written.parent, "W").close()
    assert (written.parent / "images.npy").exists()


def test_journal_can_be_begun_anew_on_request(written):
    (written.parent / "images.npy").touch()
    journal = Journal(written.parent, "W")
    journal.begin_anew()
    assert journal.entries == []
    journal.add(PAIR)
    journal.close()
    assert [path.name for path in written.parent.iterdir()] == ["journal.jsonl"]
    assert_entries(Journal(written.parent, "W"), [PAIR])


def test_journal_can_be_removed(written):
    journal = Journal(written.parent, "W")
    journal.close()
    journal.remove()
    assert not written.exists()


@pytest.fixture
def records(tmp_path, write_picture):
    return [Record("set", name, *write_picture(tmp_path, name, look)) for look, name in enumerate("AB")]


def test_same_files_and_settings_are_the_same_work(records):
    assert identify_work(records, 32, ResizeRule.PAD, None) == identify_work(list(records), 32, ResizeRule.PAD, None)
    assert len(identify_work([])) == 64


def touch(path, seconds):
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + int(seconds * 1e9)))


@pytest.mark.parametrize(
    "change",
    [
        lambda records: touch(records[0].image, 1e-3),
        lambda records: touch(records[1].mask, -5),
        lambda records: records[1].mask.write_bytes(b"other"),
        lambda records: records[0].image.unlink(),
        lambda records: records.reverse(),
        lambda records: records.pop(),
        lambda records: records.append(Record("set", "C", records[0].image, records[0].mask)),
    ],
    ids=["newer picture", "older mask", "other content", "gone", "other order", "one less", "one more"],
)
def test_other_files_are_other_work(records, change):
    before = identify_work(records, 32)
    change(records)
    assert identify_work(records, 32) != before


@pytest.mark.parametrize(
    "settings", [(64, ResizeRule.PAD, None), (32, ResizeRule.SQUASH, None), (32, ResizeRule.PAD, 0)]
)
def test_other_settings_are_other_work(records, settings):
    assert identify_work(records, *settings) != identify_work(records, 32, ResizeRule.PAD, None)
