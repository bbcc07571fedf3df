"""Batches: a seeded order without repetition that can be taken up at any step, the same whoever prepares them."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.train.data import AugmentedPictures, EpochBatches, Feed, make_loader
from lesionctl.train.options import TrainOptions

ROWS = np.array([3, 1, 4, 15, 9, 2, 6], np.int64)
CPU = torch.device("cpu")


def batches_of(rows, batch_size, seed=0, rank=0, world=1, **options):
    return EpochBatches(
        rows, TrainOptions(**{"repeat": 1, "batch_size": batch_size, "seed": seed, **options}), rank, world
    )


@pytest.fixture(scope="module")
def store(store_path):
    return open_store(store_path)


def take(batches, epoch=0, start=0):
    batches.epoch, batches.start = epoch, start
    return list(batches)


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 5), st.integers(0, 5))
def test_epoch_shows_each_row_at_most_once_in_whole_batches(count, batch_size, seed, epoch):
    rows = np.arange(count) * 3 + 1
    batches = batches_of(rows, batch_size, seed)
    taken = take(batches, epoch)
    size = min(batch_size, count)
    assert len(taken) == batches.steps == count // size
    assert all(len(batch) == size for batch in taken)
    assert {of_epoch for batch in taken for of_epoch, _ in batch} == {epoch}
    shown = [row for batch in taken for _, row in batch]
    assert len(set(shown)) == len(shown) == count // size * size
    assert set(shown) <= set(rows.tolist())


@pytest.mark.parametrize("start", [0, 1, 2, 3])
def test_epoch_goes_on_from_any_step(start):
    batches = batches_of(ROWS, 2, seed=7)
    whole = take(batches, epoch=4)
    assert take(batches, epoch=4, start=start) == whole[start:]
    assert len(batches) == 3 - start
    assert batches.steps == 3


def test_order_depends_on_seed_and_epoch_alone():
    orders = {(seed, epoch): str(take(batches_of(ROWS, 2, seed), epoch)) for seed in (0, 1) for epoch in (0, 1)}
    assert len(set(orders.values())) == 4
    batches = batches_of(ROWS, 2)
    take(batches, epoch=5)
    assert str(take(batches, epoch=1)) == orders[0, 1]


def test_row_that_one_epoch_leaves_out_comes_in_another():
    batches = batches_of(ROWS, 2)
    left_out = {row for epoch in range(20) for row in set(ROWS) - {r for b in take(batches, epoch) for _, r in b}}
    assert len(left_out) > 3


def test_picture_is_decided_by_seed_epoch_and_row(store, tiny_options):
    pictures = AugmentedPictures(store, tiny_options)
    image, truth, row = pictures[2, 5]
    assert row == 5
    assert (image.shape, image.dtype) == ((64, 64, 3), torch.uint8)
    assert (truth.shape, truth.dtype) == ((1, 64, 64), torch.bool)
    pictures[0, 0]
    assert torch.equal(AugmentedPictures(store, tiny_options)[2, 5][0], image)
    assert not torch.equal(pictures[3, 5][0], image)
    assert not torch.equal(AugmentedPictures(store, replace(tiny_options, seed=1))[2, 5][0], image)


def test_without_augmentation_the_picture_is_that_of_the_store(store, tiny_options):
    image, truth, _ = AugmentedPictures(store, replace(tiny_options, augment="none"))[0, 5]
    np.testing.assert_array_equal(image, store.images[5])
    np.testing.assert_array_equal(truth[0], store.masks[5])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_batches_are_the_same_whoever_prepares_them(store, tiny_options):
    batches = batches_of(store.rows(Split.TRAIN), 2)
    loaders = [make_loader(store, batches, replace(tiny_options, workers=workers), CPU) for workers in (0, 2)]
    for here, there in zip(*loaders, strict=True):
        assert here[0].shape == (2, 64, 64, 3)
        assert here[1].shape == (2, 1, 64, 64)
        assert torch.equal(here[0], there[0])
        assert torch.equal(here[1], there[1])
        assert torch.equal(here[2], there[2])


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
@pytest.mark.parametrize(
    ("device", "workers", "cpus", "expected"),
    [
        ("cpu", -1, 8, 0),
        ("cpu", 3, 8, 3),
        ("cuda", -1, 8, 7),
        ("cuda", -1, 64, 16),
        ("cuda", -1, 1, 1),
        ("cuda", 0, 8, 0),
    ],
)
def test_number_of_workers(store, tiny_options, monkeypatch, device, workers, cpus, expected):
    monkeypatch.setattr("lesionctl.train.data.available_cpus", lambda: cpus)
    batches = batches_of(store.rows(Split.TRAIN), 2)
    loader = make_loader(store, batches, replace(tiny_options, workers=workers), torch.device(device))
    assert getattr(loader, "num_workers", 0) == expected


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
def test_processes_of_torchrun_share_the_cores_of_their_machine(store, tiny_options, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    monkeypatch.delenv("SLURM_CPUS_PER_TASK")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")  # 16 / 4, and one of them for training
    batches = batches_of(store.rows(Split.TRAIN), 2)
    assert make_loader(store, batches, tiny_options, torch.device("cuda")).num_workers == 3


@pytest.mark.parametrize(("batch_size", "accumulate"), [(4, 1), (2, 2), (1, 4)])
@pytest.mark.parametrize("world", [1, 2])
def test_processes_together_take_the_pictures_that_one_with_their_whole_batch_takes(batch_size, accumulate, world):
    rows = np.arange(37)
    one = batches_of(rows, 4 * world)
    several = [batches_of(rows, batch_size, rank=rank, world=world, accumulate=accumulate) for rank in range(world)]
    shares = [take(batches, epoch=3) for batches in several]
    assert [[view for part in parts for view in part] for parts in zip(*shares, strict=True)] == take(one, epoch=3)
    assert {batches.steps for batches in several} == {one.steps}


@pytest.mark.parametrize(
    ("rows", "batch_size", "repeat", "steps", "shown"),
    [
        (10, 16, 0, 32, 10),  # ten pictures at a time, 32 times
        (10, 5, 0, 32, 5),  # 16 passes of two steps
        (640, 16, 0, 40, 16),  # one pass is more than 32 steps
        (500, 16, 0, 62, 16),  # two passes, because one has but 31 steps
        (10, 4, 1, 2, 4),
        (10, 4, 2, 5, 4),  # 20 views, none left out
    ],
)
def test_epoch_of_a_small_set_shows_its_pictures_again(rows, batch_size, repeat, steps, shown):
    batches = batches_of(np.arange(rows), batch_size, repeat=repeat)
    taken = take(batches, epoch=2)
    assert len(taken) == batches.steps == steps
    assert {len(batch) for batch in taken} == {shown}
    views = [view for batch in taken for view in batch]
    assert len(set(views)) == len(views)  # a picture that comes again comes in another pass, as another view
    later = {view for batch in take(batches, epoch=3) for view in batch}
    assert not later & set(views)


def test_feed_counts_the_time_that_data_take():
    batch = (torch.zeros(1), torch.zeros(1), torch.zeros(1))
    feed = Feed([batch, batch], CPU)
    assert len(list(feed)) == 2
    assert 0 < feed.seconds < 1
