"""The store: rows in, the same rows out, and nothing damaged is opened."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lesionctl.dataset.native_masks import NativeMaskWriter, pack
from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import StoreInfo, StoreWriter, open_store, samples_digest
from lesionctl.errors import BadFile, UsageError
from lesionctl.imaging.resize_rule import ResizeRule

SIZE = 8


SPLITS = [Split.TRAIN, Split.TEST, Split.TRAIN, Split.VALIDATION]


@pytest.fixture
def samples(make_sample):
    return [make_sample(f"I{n}", split=split, keys=(f"id=I{n}",)) for n, split in enumerate(SPLITS)]


@pytest.fixture
def rows():
    """Pictures, masks, and the masks at their own size."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    return pictures, rng.random((4, SIZE, SIZE)) < 0.5, rng.random((4, 20, 30)) < 0.5


def write(path, rows, samples, **about):
    path.mkdir()
    writer = StoreWriter(path, SIZE, ResizeRule.PAD)
    for image, mask, native in zip(*rows, strict=True):
        writer.append(image, mask, pack(native))
    writer.close()
    return writer.describe(samples, **about)


@pytest.fixture
def path(tmp_path, rows, samples):
    write(tmp_path / "store", rows, samples, seed=3)
    return tmp_path / "store"


def test_what_is_written_is_read_back(path, rows, samples):
    store = open_store(path)
    np.testing.assert_array_equal(store.images, rows[0])
    np.testing.assert_array_equal(store.masks, rows[1])
    assert (store.images.dtype, store.masks.dtype) == (np.uint8, np.bool_)
    assert store.samples == samples
    assert store.info == StoreInfo(SIZE, ResizeRule.PAD, seed=3, digest=samples_digest(samples), folds=0)
    assert len(store.native_masks) == 4
    for row, native in enumerate(rows[2]):
        np.testing.assert_array_equal(store.native_masks.read(row, 20, 30), native)
    assert store.path == path


def test_arrays_are_mapped_and_cannot_be_written(path):
    store = open_store(path)
    assert isinstance(store.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        store.images[0] = 0


def test_arrays_are_plain_npy_files(path, rows):
    np.testing.assert_array_equal(np.load(path / "images.npy"), rows[0])
    assert sorted(file.name for file in path.iterdir()) == [
        "images.npy", "masks.npy", "native_masks.bin", "native_masks.npy", "samples.csv", "store.json",
    ]  # fmt: skip


def test_store_of_many_rows_has_a_header_that_grew(tmp_path, make_sample):
    writer = StoreWriter(tmp_path, 1, ResizeRule.SQUASH)
    for number in range(1001):
        writer.append(np.full((1, 1, 3), number % 256, np.uint8), np.zeros((1, 1), bool), pack(np.zeros((2, 3), bool)))
    writer.close()
    writer.describe([make_sample(str(n)) for n in range(1001)], seed=0)
    images = open_store(tmp_path).images
    assert images.shape == (1001, 1, 1, 3)
    assert images[1000, 0, 0, 0] == 1000 % 256


def test_a_later_writer_goes_on_after_the_rows_that_it_keeps(path, tmp_path, rows, samples):
    killed = tmp_path / "killed"
    killed.mkdir()
    first = StoreWriter(killed, SIZE, ResizeRule.PAD)
    for number in (0, 1, 3):  # the third is dropped
        first.append(rows[0][number], rows[1][number], pack(rows[2][number]))
    first.flush()
    second = StoreWriter(killed, SIZE, ResizeRule.PAD, rows=2)
    for number in (2, 3):
        second.append(rows[0][number], rows[1][number], pack(rows[2][number]))
    second.close()
    np.testing.assert_array_equal(second.images(), rows[0])
    np.testing.assert_array_equal(second.masks(), rows[1])
    second.describe(samples, seed=3)
    for file in path.iterdir():
        assert (killed / file.name).read_bytes() == file.read_bytes()


def test_rows_of_a_split_ascend(path):
    store = open_store(path)
    assert store.rows(Split.TRAIN).tolist() == [0, 2]
    assert store.rows(Split.VALIDATION).tolist() == [3]
    assert store.rows(Split.TEST).tolist() == [1]
    assert store.rows(Split.TEST).dtype == np.int64


@pytest.fixture
def folded(tmp_path, rows, make_sample):
    """A store of a test picture and three others in three folds, which stand as the first fold has them."""
    folds = [0, None, 2, 1]
    splits = {0: Split.VALIDATION, None: Split.TEST}
    samples = [make_sample(f"I{n}", fold=fold, split=splits.get(fold, Split.TRAIN)) for n, fold in enumerate(folds)]
    write(tmp_path / "folded", rows, samples, seed=0, folds=3)
    return open_store(tmp_path / "folded")


@pytest.mark.parametrize(("fold", "validation", "train"), [(0, [0], [2, 3]), (1, [3], [0, 2]), (2, [2], [0, 3])])
def test_a_fold_is_validated_on_and_the_others_are_trained_on(folded, fold, validation, train):
    store = folded.at_fold(fold)
    assert store.rows(Split.VALIDATION).tolist() == validation
    assert store.rows(Split.TRAIN).tolist() == train
    assert store.rows(Split.TEST).tolist() == [1]
    assert store.info == folded.info


def test_what_is_not_test_is_validated_on_exactly_once(folded):
    rows = [row for fold in range(3) for row in folded.at_fold(fold).rows(Split.VALIDATION).tolist()]
    assert sorted(rows) == [0, 2, 3]


@pytest.mark.parametrize("fold", [-1, 3])
def test_a_fold_that_is_not_there_is_refused(folded, fold):
    with pytest.raises(UsageError, match=f"has no fold {fold}") as caught:
        folded.at_fold(fold)
    assert caught.value.hint == "its folds are 0 to 2"


def test_a_store_without_folds_has_no_fold_0(path):
    with pytest.raises(UsageError, match="has no fold 0") as caught:
        open_store(path).at_fold(0)
    assert caught.value.hint == "it was prepared without --folds"


def test_digest_is_that_of_the_same_samples_in_any_order(samples):
    assert samples_digest(samples) == samples_digest(samples[::-1])
    assert len(samples_digest(samples)) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"split": Split.TEST},
        {"fold": 1},
        {"group": "other"},
        {"sha256": "e" * 64},
        {"mask_sha256": "e" * 64},
        {"id": "other"},
        {"source": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_digest_changes_with(samples, change):
    first, *rest = samples
    assert samples_digest([replace(first, **change), *rest]) != samples_digest([first, *rest])


def test_digest_stays_when_files_only_move(samples):
    first, *rest = samples
    moved = replace(first, image=Path("/elsewhere/i.jpg"), mask=Path("/elsewhere/m.png"))
    assert samples_digest([moved, *rest]) == samples_digest([first, *rest])


def change_json(path, **values):
    about = json.loads((path / "store.json").read_text())
    (path / "store.json").write_text(json.dumps({**about, **values}))


def cut_a_row(path):
    np.save(path / "masks.npy", np.load(path / "masks.npy")[:3])


def no_native_masks(path):
    NativeMaskWriter(path).close()


def edit_a_split(path):
    (path / "samples.csv").write_text((path / "samples.csv").read_text().replace("test", "train"))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: (path / "store.json").unlink(), "is no prepared set: it has no store.json"),
        (lambda path: (path / "store.json").write_text("{"), "is a damaged prepared set"),
        (lambda path: (path / "store.json").write_text("[]"), "is a damaged prepared set"),
        (lambda path: (path / "store.json").write_bytes(b"\xff"), "is a damaged prepared set"),
        (lambda path: change_json(path, resize="stretch"), "is a damaged prepared set"),
        (lambda path: change_json(path, format=1), r"has the layout of another version \(1\)"),
        (lambda path: change_json(path, format=3, tiles=4), r"has the layout of another version \(3\)"),
        (lambda path: change_json(path, size=16), "is a damaged prepared set"),
        (lambda path: (path / "masks.npy").unlink(), "is a damaged prepared set"),
        (lambda path: (path / "images.npy").write_bytes(b""), "is a damaged prepared set"),
        (lambda path: (path / "images.npy").write_bytes(b"junk" * 100), "is a damaged prepared set"),
        (
            lambda path: (path / "images.npy").write_bytes((path / "images.npy").read_bytes()[:-1]),
            "is a damaged prepared set",
        ),
        (lambda path: (path / "native_masks.npy").unlink(), "is a damaged prepared set"),
        (lambda path: (path / "native_masks.bin").unlink(), "is a damaged prepared set"),
        (lambda path: (path / "native_masks.bin").write_bytes(b"x"), "has not the length"),
        (no_native_masks, "its list and its pictures disagree"),
        (cut_a_row, "is a damaged prepared set"),
        (lambda path: np.save(path / "masks.npy", np.zeros((4, 3, 3), bool)), "is a damaged prepared set"),
        (lambda path: (path / "samples.csv").unlink(), "cannot be read"),
        (edit_a_split, "its list and its pictures disagree"),
        (shutil.rmtree, "is no prepared set"),
    ],
    ids=[
        "no store.json",
        "broken json",
        "json of something else",
        "binary json",
        "unknown rule",
        "other version",
        "other version with other fields",
        "size that the arrays do not have",
        "no masks",
        "empty images",
        "junk images",
        "cut images",
        "no ends of native masks",
        "no native masks",
        "cut native masks",
        "native masks of another set",
        "a row too few",
        "masks of another size",
        "no samples",
        "edited split",
        "nothing at all",
    ],
)
def test_damaged_store_is_refused(path, damage, reason):
    damage(path)
    with pytest.raises(BadFile, match=reason):
        open_store(path)
