"""Two official sets that overlap: refused with numbers, or settled without reading a picture again."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import ExitCode, GateError
from lesionctl.imaging.masks import read_mask
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.prepare import prepare as prepare_module
from lesionctl.prepare.audit import audit_pair
from lesionctl.prepare.findings import Kind
from lesionctl.prepare.official import Overlap
from lesionctl.prepare.prepare import PrepareOptions, prepare
from lesionctl.prepare.sources import Record
from lesionctl.prepare.split import Shares

SMALL = PrepareOptions(size=32)
SHARED = [f"I{number:02}" for number in range(20, 32)]


@pytest.fixture
def sets(make_set):
    """Set new trains on I00 to I31 and tests on four more; set old tests on I20 to I39: 12 of these 20 are new's."""

    def splits(**names):
        return "image_id,split\n" + "".join(f"{name},{split}\n" for split, own in names.items() for name in own)

    new = {f"I{number:02}": number for number in range(32)} | {f"T{number}": 100 + number for number in range(4)}
    old = {f"I{number:02}": number for number in range(20, 40)} | {f"O{number}": 200 + number for number in range(6)}
    return [
        make_set("new", new, splits(train=[name for name in new if name[0] == "I"], test=[f"T{n}" for n in range(4)])),
        make_set("old", old, splits(test=[name for name in old if name[0] == "I"], train=[f"O{n}" for n in range(6)])),
    ]


def keys(samples):
    return [(sample.source, sample.id) for sample in samples]


def assert_rows_belong_to_their_samples(store):
    """Every row is what reading its sample's files alone makes of them."""
    assert len(store.samples) == len(store.images) == len(store.masks) == len(store.native_masks)
    for row, sample in enumerate(store.samples):
        expected = audit_pair(Record("", sample.id, sample.image, sample.mask), 32, ResizeRule.SQUASH)
        np.testing.assert_array_equal(store.images[row], expected.image)
        np.testing.assert_array_equal(store.masks[row], expected.mask)
        native = store.native_masks.read(row, sample.height, sample.width)
        np.testing.assert_array_equal(native, read_mask(sample.mask))


def test_overlap_is_refused_with_its_numbers_and_makes_no_store(sets, tmp_path):
    with pytest.raises(GateError) as caught:
        prepare(sets, tmp_path / "out" / "store", SMALL)
    assert caught.value.exit_code is ExitCode.GATE_FAILED
    assert caught.value.what.splitlines() == [
        "the official splits overlap, by the same id, file, lesion or patient, or by their looks:",
        "  pictures of old test that stand in new train too: 12",
    ]
    assert not (tmp_path / "out" / "store").exists()


@pytest.mark.parametrize(
    ("overlap", "loser", "meant", "stays"),
    [(Overlap.TEST, "new", Split.TRAIN, Split.TEST), (Overlap.TRAIN, "old", Split.TEST, Split.TRAIN)],
)
def test_same_command_with_a_rule_goes_on_without_reading_again(
    sets, tmp_path, monkeypatch, overlap, loser, meant, stays
):
    with pytest.raises(GateError):
        prepare(sets, tmp_path / "store", SMALL)

    def read_again(*_):
        pytest.fail("a picture is read again")

    monkeypatch.setattr(prepare_module, "audit_pair", read_again)
    options = replace(SMALL, overlap=overlap, shares=Shares(80, 0, 20))
    summary = prepare(sets, tmp_path / "store", options)
    monkeypatch.undo()

    assert summary.left_out == []  # on purpose, and so no failure
    store = open_store(tmp_path / "store")
    assert len(store.samples) == 36 + 26 - 12
    assert not {(loser, name) for name in SHARED} & set(keys(store.samples))
    splits = {(sample.source, sample.id): sample.split for sample in store.samples}
    winner = "old" if loser == "new" else "new"
    assert {splits[winner, name] for name in SHARED} == {stays}
    assert {split for (source, name), split in splits.items() if name[0] == "T"} == {Split.TEST}
    assert_rows_belong_to_their_samples(store)

    rows = [row for row in csv.DictReader((tmp_path / "store" / "audit.csv").open()) if row["finding"] == "overlap"]
    assert [(row["source"], row["id"], row["consequence"]) for row in rows] == [
        (loser, name, "left out") for name in SHARED
    ]
    assert rows[0]["detail"] == f"meant for {meant}, but its group id=I20 stays in {stays}"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    fresh = prepare(sets, tmp_path / "fresh", options)
    assert fresh.digest == summary.digest
    for file in (tmp_path / "fresh").iterdir():
        assert (tmp_path / "store" / file.name).read_bytes() == file.read_bytes()


def test_overlap_does_not_matter_where_a_new_split_is_drawn(sets, tmp_path):
    summary = prepare(sets, tmp_path / "store", replace(SMALL, resplit=True))
    assert len(summary.samples) == 62
    splits = {}
    for sample in summary.samples:
        splits.setdefault(sample.id, set()).add(sample.split)
    assert all(len(found) == 1 for found in splits.values())


def test_overlap_by_a_patient_is_one_too(make_set, tmp_path):
    source = make_set(
        "set", 6, "id,patient_id,split\nI00,P,train\nI01,P,test\nI02,,train\nI03,,val\nI04,,test\nI05,,train\n"
    )
    with pytest.raises(GateError, match="pictures of set test that stand in set train too: 1"):
        prepare([source], tmp_path / "store", SMALL)
    summary = prepare([source], tmp_path / "store", replace(SMALL, overlap=Overlap.TEST))
    assert keys(summary.samples) == [("set", f"I0{n}") for n in (1, 2, 3, 4, 5)]
    assert [(found.id, found.detail) for found in summary.findings if found.kind is Kind.OVERLAP] == [
        ("I00", "meant for train, but its group id=I00 stays in test")
    ]
