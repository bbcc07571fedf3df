"""Preparing end to end: what can be used is kept, what cannot is named, and a store stands whole or not at all."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from lesionctl.dataset.samples import Split, read_samples
from lesionctl.dataset.store import open_store
from lesionctl.errors import BadFile, Failure, LesionctlError, UsageError
from lesionctl.imaging.decode import decode
from lesionctl.imaging.frame import Frame
from lesionctl.imaging.masks import encode_mask, read_mask
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.prepare.prepare import PrepareOptions, prepare
from lesionctl.prepare.sources import FolderSource
from lesionctl.prepare.split import Shares

SMALL = PrepareOptions(size=32)
FILES = {
    "audit.csv", "fingerprint.csv", "fingerprint.json", "images.npy", "masks.npy", "native_masks.bin",
    "native_masks.npy", "samples.csv", "store.json",
}  # fmt: skip


@pytest.fixture
def source(make_set):
    """A source of 12 good pairs, each a group of its own, that a test may break."""
    return make_set("set", 12)


def group_of(summary, sample_id):
    return {sample.group for sample in summary.samples if sample.id == sample_id}


def splits_of(summary):
    return {(sample.source, sample.id): sample.split for sample in summary.samples}


def test_store_holds_every_pair_of_the_demo_set(demo, store_path):
    store = open_store(store_path)
    assert [sample.id for sample in store.samples] == [f"DEMO_{n:07d}" for n in range(12)]
    assert {sample.source for sample in store.samples} == {"demo"}
    assert store.images.shape == (12, 64, 64, 3)
    assert store.info.size == 64
    for row, sample in enumerate(store.samples):
        assert sample.image == (demo / "images" / f"{sample.id}.jpg").resolve()
        assert sample.sha256 == hashlib.sha256(sample.image.read_bytes()).hexdigest()
        image, mask = decode(sample.image).image, read_mask(sample.mask)
        assert (sample.height, sample.width) == image.shape[:2]
        assert sample.lesion_fraction == pytest.approx(mask.mean(), abs=1e-6)
        frame = Frame.fit(*mask.shape, 64, ResizeRule.SQUASH)
        np.testing.assert_array_equal(store.masks[row], frame.shrink_mask(mask))
        np.testing.assert_array_equal(store.native_masks.read(row, *mask.shape), mask)
        # A smaller decoding of the JPEG stands in for the whole.
        assert np.abs(store.images[row].astype(int) - frame.shrink(image)).mean() < 3


def test_pictures_of_one_lesion_stay_together(store_path):
    splits = {}
    for sample in open_store(store_path).samples:
        splits.setdefault(sample.group, set()).add(sample.split)
    assert len(splits) < 12  # the demo set shows some lesions twice
    assert all(len(of_group) == 1 for of_group in splits.values())


def test_nothing_else_lies_in_or_beside_the_store(source, tmp_path):
    out = tmp_path / "out" / "store"
    prepare([source], out, SMALL)
    assert {path.name for path in out.iterdir()} == FILES
    assert [path.name for path in out.parent.iterdir()] == ["store"]


def test_same_seed_same_digest_and_other_seed_another(source, tmp_path):
    digests = [
        prepare([source], tmp_path / name, replace(SMALL, seed=seed)).digest
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]
    assert open_store(tmp_path / "a").info.digest == digests[0]


def test_split_does_not_depend_on_the_order_of_the_sources(make_set, tmp_path):
    sources = [make_set("a", {f"A{n}": n for n in range(8)}), make_set("b", {f"B{n}": 50 + n for n in range(8)})]
    first, second = prepare(sources, tmp_path / "1", SMALL), prepare(sources[::-1], tmp_path / "2", SMALL)
    assert splits_of(first) == splits_of(second)
    assert first.digest == second.digest


def test_other_mask_is_another_digest(source, tmp_path):
    before = prepare([source], tmp_path / "a", SMALL).digest
    path = source.masks / "I00_segmentation.png"
    path.write_bytes(encode_mask(~read_mask(path)))
    assert prepare([source], tmp_path / "b", SMALL).digest != before


def test_broken_files_are_named_with_reasons_and_the_rest_is_kept(source, tmp_path):
    images, masks = source.images, source.masks
    (images / "I00.jpg").write_bytes((images / "I00.jpg").read_bytes()[:-200])
    (masks / "I01_segmentation.png").write_bytes(encode_mask(np.zeros((80, 60), bool)))
    (masks / "I03_segmentation.png").unlink()
    (images / "I04.jpg").unlink()
    (images / "I05.jpg").write_bytes(b"")
    (masks / "I06_segmentation.png").write_text("no mask")
    (images / "I07.jpg").unlink()
    (images / "I07.jpg").symlink_to("gone.jpg")
    summary = prepare([source], tmp_path / "store", SMALL)
    assert set(summary.left_out) == {
        Failure(images / "I00.jpg", "the file is cut off: its end is missing"),
        Failure(masks / "I01_segmentation.png", "the mask is 60×80 pixels, its picture 80×60"),
        Failure(images / "I03.jpg", "a picture without a mask"),
        Failure(masks / "I04_segmentation.png", "a mask without a picture"),
        Failure(images / "I05.jpg", "the file is empty"),
        Failure(masks / "I06_segmentation.png", "not a picture of a kind that can be read"),
        Failure(images / "I07.jpg", "cannot be read (No such file or directory)"),
    }
    assert [sample.id for sample in summary.samples] == ["I02", "I08", "I09", "I10", "I11"]
    assert open_store(tmp_path / "store").samples == summary.samples


def test_grey_masks_are_refused_or_taken_at_a_threshold(source, tmp_path):
    grey = np.tile(np.arange(80, dtype=np.uint8), (60, 1))
    Pillow.fromarray(grey).save(source.masks / "I00_segmentation.png")
    (failure,) = prepare([source], tmp_path / "a", SMALL).left_out
    assert failure.reason.startswith("the mask is not binary: it holds 80 grey values from 0 to 79")
    summary = prepare([source], tmp_path / "b", replace(SMALL, binarise_at=19))
    assert summary.left_out == []
    assert summary.samples[0].lesion_fraction == 0.75
    np.testing.assert_array_equal(open_store(tmp_path / "b").native_masks.read(0, 60, 80), grey > 19)


def test_masks_of_odd_sizes_are_kept_at_their_own_size(tmp_path, write_picture):
    for number in range(6):
        write_picture(tmp_path / "set", f"I{number}", number, height=61 + number, width=83 - 2 * number)
    prepare([FolderSource.at(tmp_path / "set")], tmp_path / "store", SMALL)
    store = open_store(tmp_path / "store")
    for row, sample in enumerate(store.samples):
        assert (sample.height, sample.width) == (61 + row, 83 - 2 * row)
        expected = read_mask(sample.mask)
        np.testing.assert_array_equal(store.native_masks.read(row, sample.height, sample.width), expected)


def test_metadata_beside_the_source_and_from_elsewhere_join_into_groups(source, tmp_path, write_table):
    write_table("isic_id,lesion_id\nI00,L1\nI01,L1\n", "set/metadata.csv")
    more = write_table("isic_id,patient_id\nI01,P1\nI02,P1\n", "more.csv")
    options = replace(SMALL, metadata=(more,))
    summary = prepare([FolderSource.at(tmp_path / "set")], tmp_path / "store", options)
    assert group_of(summary, "I00") == group_of(summary, "I01") == group_of(summary, "I02") == {"id=I00"}
    assert group_of(summary, "I03") == {"id=I03"}
    by_id = {sample.id: sample for sample in summary.samples}
    assert by_id["I01"].keys == ("id=I01", "lesion_id=L1", "patient_id=P1", f"sha256={by_id['I01'].sha256}")


def test_shares_are_used(source, tmp_path):
    summary = prepare([source], tmp_path / "store", replace(SMALL, shares=Shares(50, 25, 25)))
    assert Counter(sample.split for sample in summary.samples) == {Split.TRAIN: 6, Split.VALIDATION: 3, Split.TEST: 3}


def test_padding_is_in_the_store(source, tmp_path):
    prepare([source], tmp_path / "store", replace(SMALL, resize=ResizeRule.PAD))
    store = open_store(tmp_path / "store")
    assert store.info.resize is ResizeRule.PAD
    assert (store.images[:, :4] == 0).all()  # 60 by 80: 24 rows of picture, 4 black above and below
    assert (store.images[:, 4:28] > 0).any(axis=(0, 3)).all()


def test_fingerprint_is_written_and_returned(source, tmp_path):
    summary = prepare([source], tmp_path / "store", SMALL)
    assert json.loads((tmp_path / "store" / "fingerprint.json").read_text()) == summary.fingerprint
    assert summary.fingerprint["pictures"] == 12
    assert summary.fingerprint["height"]["p50"] == 60
    rows = list(csv.DictReader((tmp_path / "store" / "fingerprint.csv").open()))
    assert [row["id"] for row in rows] == [sample.id for sample in summary.samples]
    means = np.array([[float(row[f"mean_{colour}"]) for colour in ("red", "green", "blue")] for row in rows])
    np.testing.assert_allclose(means, open_store(tmp_path / "store").images.mean(axis=(1, 2)) / 255, atol=1e-5)


def test_folds_share_what_is_not_test_equally(make_set, tmp_path):
    source = make_set("set", 34, "id,patient_id\n" + "".join(f"I{n:02},P{n // 3}\n" for n in range(12)))
    summary = prepare([source], tmp_path / "store", replace(SMALL, folds=4))
    for sample in summary.samples:
        if sample.split is Split.TEST:
            assert sample.fold is None
        else:
            assert (sample.split is Split.VALIDATION) == (sample.fold == 0)
    sizes = Counter(sample.fold for sample in summary.samples if sample.fold is not None)
    assert sorted(sizes) == [0, 1, 2, 3]
    assert max(sizes.values()) - min(sizes.values()) <= 3  # the largest groups are patients with three pictures
    assert len({(sample.group, sample.fold, sample.split) for sample in summary.samples}) == 26
    store = open_store(tmp_path / "store")
    assert store.info.folds == 4
    assert store.samples == read_samples(tmp_path / "store" / "samples.csv") == summary.samples
    for fold in range(4):
        samples = store.at_fold(fold).samples
        assert {sample.fold for sample in samples if sample.split is Split.VALIDATION} == {fold}


@pytest.mark.parametrize("folds", [1, -1])
def test_folds_that_make_no_cross_validation_are_refused(folds):
    with pytest.raises(UsageError, match="make no cross-validation"):
        PrepareOptions(folds=folds)


def test_more_folds_than_groups_are_refused(source, tmp_path):
    with pytest.raises(UsageError, match="groups of pictures cannot fill 11 parts"):
        prepare([source], tmp_path / "store", replace(SMALL, folds=11))
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"metadata": ("missing.csv",)}, BadFile, r"missing\.csv"),
        ({"group_by": ("hospital",)}, UsageError, "has the column 'hospital'"),
    ],
)
def test_refused_options_leave_nothing(source, tmp_path, change, error, message):
    if "metadata" in change:
        change = {**change, "metadata": tuple(tmp_path / name for name in change["metadata"])}
    with pytest.raises(error, match=message):
        prepare([source], tmp_path / "out" / "store", replace(SMALL, **change))
    assert not (tmp_path / "out").exists()


def test_too_few_groups_make_no_store_and_another_split_does(make_set, tmp_path):
    source = make_set("set", 2)
    with pytest.raises(UsageError, match="2 groups of pictures cannot fill 3 parts"):
        prepare([source], tmp_path / "out" / "store", SMALL)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".store.part"]
    prepare([source], tmp_path / "out" / "store", replace(SMALL, shares=Shares(50, 50, 0)))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["store"]


def test_nothing_usable_makes_no_store(source, tmp_path):
    for path in source.images.iterdir():
        path.write_bytes(b"")
    with pytest.raises(LesionctlError, match="none of the 12 pairs can be used; the first: the file is empty"):
        prepare([source], tmp_path / "out" / "store", SMALL)
    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_paired_is_explained(tmp_path):
    (tmp_path / "set" / "images").mkdir(parents=True)
    (tmp_path / "set" / "masks").mkdir()
    with pytest.raises(LesionctlError, match="has a mask of the same name"):
        prepare([FolderSource.at(tmp_path / "set")], tmp_path / "out", SMALL)
    assert not (tmp_path / "out").exists()


def test_standing_store_is_refused_and_replaced_on_request(source, tmp_path):
    prepare([source], tmp_path / "store", SMALL)
    with pytest.raises(LesionctlError, match="exists already"):
        prepare([source], tmp_path / "store", SMALL)
    prepare([source], tmp_path / "store", PrepareOptions(size=16, overwrite=True))
    assert open_store(tmp_path / "store").info.size == 16


def test_overwriting_never_removes_what_is_no_store(source, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for name in ("set", "notes.txt"):
        with pytest.raises(UsageError, match="holds something other than a prepared set"):
            prepare([source], tmp_path / name, replace(SMALL, overwrite=True))
    assert len(list((tmp_path / "set" / "images").iterdir())) == 12
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_names_that_are_not_utf8_are_shown_with_backslashes(source, tmp_path):
    for folder, name in ((source.images, b"I\xfc.jpg"), (source.images, b"J\xfc.jpg"), (source.masks, b"J\xfc.png")):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).touch()
    summary = prepare([source], tmp_path / "store", replace(SMALL, page=True))
    assert summary.left_out == [
        Failure(source.images / r"I\udcfc.jpg", "a picture without a mask"),
        Failure(source.images / r"J\udcfc.jpg", "its name is not in UTF-8, which tables need: rename it"),
    ]
    assert len(summary.samples) == 12
    for file in ("audit.csv", "audit.html"):
        assert r"J\udcfc" in (tmp_path / "store" / file).read_text()


def test_number_of_threads_changes_nothing(source, tmp_path, monkeypatch):
    prepare([source], tmp_path / "one", SMALL)
    monkeypatch.setattr("lesionctl.runtime.threads.available_cpus", lambda: 4)
    prepare([source], tmp_path / "four", SMALL)
    for file in (tmp_path / "one").iterdir():
        assert (tmp_path / "four" / file.name).read_bytes() == file.read_bytes()
