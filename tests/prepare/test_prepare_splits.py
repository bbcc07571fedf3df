"""Splits end to end: those that tables and sets bring with them are kept, the rest is dealt."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from lesionctl.dataset.samples import Split
from lesionctl.errors import Failure
from lesionctl.prepare.prepare import PrepareOptions, prepare
from lesionctl.prepare.sources import FolderSource, TableSource

SMALL = PrepareOptions(size=32)


@pytest.fixture
def source(make_set):
    """A source of 12 good pairs, each a group of its own, that a test may break."""
    return make_set("set", 12)


def splits_of(summary):
    return {(sample.source, sample.id): sample.split for sample in summary.samples}


def test_table_of_pairs_with_ids_groups_splits_and_diagnoses(source, tmp_path, write_table):
    rows = ["image,mask,id,group,split,diagnosis"]
    for number in range(12):
        split = ("test", "val", "", "")[number] if number < 4 else "train"
        rows.append(
            f"images/I{number:02}.jpg,masks/I{number:02}_segmentation.png,P{number},"
            f"{'g' if number in (3, 5) else ''},{split},{'nevus' if number % 2 else 'bcc'}"
        )
    table = write_table("\n".join(rows) + "\n", "set/pairs.csv")
    summary = prepare([TableSource("pairs", table=table)], tmp_path / "store", SMALL)
    by_id = {sample.id: sample for sample in summary.samples}
    assert list(by_id) == [f"P{number}" for number in range(12)]
    assert {sample.source for sample in summary.samples} == {"pairs"}
    assert by_id["P0"].split is Split.TEST
    assert by_id["P1"].split is Split.VALIDATION
    assert {by_id[f"P{n}"].split for n in range(2, 12)} == {Split.TRAIN}  # P3 with P5; P2 is too little to deal
    assert by_id["P3"].group == by_id["P5"].group == "group=g"
    assert by_id["P3"].diagnosis == "nevus"
    assert by_id["P0"].image == (source.images / "I00.jpg").resolve()


def test_picture_that_a_table_lists_and_nobody_has_is_named_and_the_others_are_done(source, tmp_path, write_table):
    rows = [f"images/I{number:02}.jpg,masks/I{number:02}_segmentation.png" for number in range(12)]
    table = write_table("\n".join(["image,mask", *rows, "images/X.jpg,masks/X.png"]) + "\n", "set/pairs.csv")
    summary = prepare([TableSource("pairs", table=table)], tmp_path / "store", SMALL)
    assert summary.left_out == [Failure(tmp_path / "set/images/X.jpg", "cannot be read (No such file or directory)")]
    assert len(summary.samples) == 12


@pytest.mark.parametrize("seed", range(3))
def test_list_of_a_store_gives_the_same_split_again(demo, tmp_path, seed):
    first = prepare([FolderSource.at(demo)], tmp_path / "first", replace(SMALL, seed=seed, folds=3))
    table = tmp_path / "first" / "samples.csv"
    second = prepare([TableSource("samples", table=table)], tmp_path / "second", replace(SMALL, folds=3, seed=seed))
    assert splits_of(second) == splits_of(first)
    assert second.digest == first.digest
    assert {sample.source for sample in second.samples} == {"demo"}
    assert [(sample.sha256, sample.mask_sha256) for sample in second.samples] == [
        (sample.sha256, sample.mask_sha256) for sample in first.samples
    ]
    for files in ("images.npy", "masks.npy", "native_masks.bin"):
        assert (tmp_path / "first" / files).read_bytes() == (tmp_path / "second" / files).read_bytes()


def official(**pictures):
    """A metadata.csv with the official splits of pictures, given as `train=range(3)`."""
    rows = [f"I{number:02},{split}" for split, numbers in pictures.items() for number in numbers]
    return "\n".join(["image_id,split", *rows]) + "\n"


def test_official_splits_are_kept_unless_told_otherwise(make_set, tmp_path):
    source = make_set("set", 20, official(train=range(5), val=range(5, 8), test=range(8, 20)))
    kept = [prepare([source], tmp_path / f"kept{seed}", replace(SMALL, seed=seed)) for seed in range(2)]
    for summary in kept:
        assert Counter(splits_of(summary).values()) == {Split.TRAIN: 5, Split.VALIDATION: 3, Split.TEST: 12}
    assert splits_of(kept[0]) == splits_of(kept[1])
    again = prepare([source], tmp_path / "again", replace(SMALL, resplit=True))
    assert Counter(splits_of(again).values()) == {Split.TRAIN: 14, Split.VALIDATION: 2, Split.TEST: 4}


def test_set_without_a_validation_split_gets_it_out_of_training(make_set, tmp_path):
    summary = prepare([make_set("set", 20, official(train=range(16), test=range(16, 20)))], tmp_path / "store", SMALL)
    assert Counter(splits_of(summary).values()) == {Split.TRAIN: 14, Split.VALIDATION: 2, Split.TEST: 4}
    assert {name for (_, name), split in splits_of(summary).items() if split is Split.TEST} == {
        "I16", "I17", "I18", "I19",
    }  # fmt: skip


def test_set_without_splits_is_dealt_beside_one_with_splits(make_set, tmp_path):
    ruled = make_set("ruled", 6, official(train=range(4), val=[4], test=[5]))
    free = make_set("free", {f"F{number:02}": number for number in range(20)})
    splits = splits_of(prepare([ruled, free], tmp_path / "store", SMALL))
    assert Counter(split for (source, _), split in splits.items() if source == "free") == {
        Split.TRAIN: 14, Split.VALIDATION: 2, Split.TEST: 4,
    }  # fmt: skip
    assert [split for (source, _), split in splits.items() if source == "ruled"] == [
        *[Split.TRAIN] * 4, Split.VALIDATION, Split.TEST,
    ]  # fmt: skip
