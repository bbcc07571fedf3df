"""The store: rows in, the same rows out, and nothing damaged is opened."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lesionctl.dataset.samples import Sample, Split
from lesionctl.dataset.store import StoreWriter, open_store, samples_digest
from lesionctl.errors import BadFile
from lesionctl.imaging.resize_rule import ResizeRule

SIZE = 8


def make_samples():
    splits = [Split.TRAIN, Split.TEST, Split.TRAIN, Split.VALIDATION]
    return [
        Sample(
            f"I{n}",
            "set",
            f"g{n}",
            split,
            Path(f"/i{n}.jpg"),
            Path(f"/m{n}.png"),
            20,
            30,
            0.25,
            f"{n}" * 64,
            f"{n}a" * 32,
        )
        for n, split in enumerate(splits)
    ]


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (4, SIZE, SIZE, 3), np.uint8), rng.random((4, SIZE, SIZE)) < 0.5


@pytest.fixture
def path(tmp_path, rows):
    path = tmp_path / "store"
    path.mkdir()
    writer = StoreWriter(path, SIZE, ResizeRule.PAD)
    for image, mask in zip(*rows, strict=True):
        writer.append(image, mask)
    writer.finish(make_samples(), seed=3)
    return path


def test_what_is_written_is_read_back(path, rows):
    store = open_store(path)
    np.testing.assert_array_equal(store.images, rows[0])
    np.testing.assert_array_equal(store.masks, rows[1])
    assert (store.images.dtype, store.masks.dtype) == (np.uint8, np.bool_)
    assert store.samples == make_samples()
    assert (store.info.size, store.info.resize, store.info.seed) == (SIZE, ResizeRule.PAD, 3)
    assert store.path == path


def test_arrays_are_mapped_and_cannot_be_written(path):
    store = open_store(path)
    assert isinstance(store.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        store.images[0] = 0


def test_arrays_are_plain_npy_files(path, rows):
    np.testing.assert_array_equal(np.load(path / "images.npy"), rows[0])
    assert sorted(file.name for file in path.iterdir()) == ["images.npy", "masks.npy", "samples.csv", "store.json"]


def test_store_of_many_rows_has_a_header_that_grew(tmp_path):
    writer = StoreWriter(tmp_path, 1, ResizeRule.SQUASH)
    for number in range(1001):
        writer.append(np.full((1, 1, 3), number % 256, np.uint8), np.zeros((1, 1), bool))
    writer.finish([replace(make_samples()[0], id=str(n)) for n in range(1001)], seed=0)
    images = open_store(tmp_path).images
    assert images.shape == (1001, 1, 1, 3)
    assert images[1000, 0, 0, 0] == 1000 % 256


def test_rows_of_a_split_ascend(path):
    store = open_store(path)
    assert store.rows(Split.TRAIN).tolist() == [0, 2]
    assert store.rows(Split.VALIDATION).tolist() == [3]
    assert store.rows(Split.TEST).tolist() == [1]
    assert store.rows(Split.TEST).dtype == np.int64


def test_digest_is_that_of_the_same_samples_in_any_order():
    samples = make_samples()
    assert samples_digest(samples) == samples_digest(samples[::-1])
    assert len(samples_digest(samples)) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"split": Split.TEST},
        {"group": "other"},
        {"sha256": "e" * 64},
        {"mask_sha256": "e" * 64},
        {"id": "other"},
        {"source": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_digest_changes_with(change):
    first, *rest = make_samples()
    assert samples_digest([replace(first, **change), *rest]) != samples_digest([first, *rest])


def test_digest_stays_when_files_only_move():
    first, *rest = make_samples()
    moved = replace(first, image=Path("/elsewhere/i.jpg"), mask=Path("/elsewhere/m.png"))
    assert samples_digest([moved, *rest]) == samples_digest([first, *rest])


def change_json(path, **values):
    about = json.loads((path / "store.json").read_text())
    (path / "store.json").write_text(json.dumps({**about, **values}))


def cut_a_row(path):
    np.save(path / "masks.npy", np.load(path / "masks.npy")[:3])


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
        (lambda path: change_json(path, format=2), r"has the layout of another version \(2\)"),
        (lambda path: change_json(path, format=2, tiles=4), r"has the layout of another version \(2\)"),
        (lambda path: change_json(path, size=16), "is a damaged prepared set"),
        (lambda path: (path / "masks.npy").unlink(), "is a damaged prepared set"),
        (lambda path: (path / "images.npy").write_bytes(b""), "is a damaged prepared set"),
        (lambda path: (path / "images.npy").write_bytes(b"junk" * 100), "is a damaged prepared set"),
        (
            lambda path: (path / "images.npy").write_bytes((path / "images.npy").read_bytes()[:-1]),
            "is a damaged prepared set",
        ),
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
