"""Batches of training pictures, the same for the same seed whoever prepares them."""

from __future__ import annotations

import math
import os
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from lesionctl.dataset.store import open_store
from lesionctl.runtime.threads import available_cpus
from lesionctl.train.augment.augmentation import Augmentation
from lesionctl.train.augment.recipe import read_recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from lesionctl.dataset.store import Store
    from lesionctl.train.options import TrainOptions

_PREFETCH = 2  # steps that each worker keeps ready
_SHARED_MEMORY = Path("/dev/shm")
_STEPS = 32
"""Steps that an epoch of a small set has at least: validating more often than that costs more than it tells."""


class Batch(NamedTuple):
    """Pictures of one step.

    Attributes:
        images: uint8 `[B, size, size, 3]`.
        truth: bool `[B, 1, size, size]`.
        rows: int64 `[B]`, where they stand in the store.
    """

    images: Tensor
    truth: Tensor
    rows: Tensor

    def split(self, size: int) -> list[Batch]:
        """The same in parts of `size` pictures; the last may be smaller."""
        return [Batch(*part) for part in zip(*(torch.split(values, size) for values in self), strict=True)]

    def to(self, device: torch.device) -> Batch:
        """The same on a device, but for the rows; the copy may still be under way."""
        images, truth, rows = self
        ahead = device.type == "cuda"  # elsewhere a source that is gone before its copy is made spoils it
        return Batch(images.to(device, non_blocking=ahead), truth.to(device, non_blocking=ahead), rows)


class AugmentedPictures(Dataset[Batch]):
    """Random views of the pictures of a store. An index is (pass, row): it alone, with the seed, decides the view."""

    def __init__(self, store: Store, options: TrainOptions) -> None:
        self._path = store.path
        self._images, self._masks = store.images, store.masks
        self._seed = options.seed
        self._size = options.size
        self._recipe = read_recipe(options.augment)
        self._own = threading.local()  # an Augmentation draws from a state of its own

    def __getitem__(self, index: tuple[int, int]) -> Batch:
        """A view: uint8 `[size, size, 3]`, bool `[1, size, size]`, and its row."""
        number, row = index
        if not hasattr(self._own, "augment"):
            self._own.augment = Augmentation(self._size, self._recipe)
        seed = int(np.random.SeedSequence((self._seed, number, row)).generate_state(1)[0])
        image, mask = self._own.augment(np.array(self._images[row]), np.array(self._masks[row]), seed)
        return Batch(torch.from_numpy(image), torch.from_numpy(mask)[None], torch.tensor(row))

    def __getstate__(self) -> dict[str, object]:
        """For a worker that is started afresh: it opens the files itself, and what belongs to a thread stays behind."""
        return {**vars(self), "_own": None, "_images": None, "_masks": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        """See `__getstate__`."""
        vars(self).update(state, _own=threading.local())
        store = open_store(self._path)
        self._images, self._masks = store.images, store.masks


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """One process's share of the steps of an epoch, from one of them on: a seeded order, an incomplete step left out.

    Args:
        rows: The rows of the training split.
        options: Batch size, forward passes per step, repeats, seed.
        rank: Which of the processes this is.
        world: How many there are.
    """

    def __init__(self, rows: NDArray[np.int64], options: TrainOptions, rank: int = 0, world: int = 1) -> None:
        self._rows = rows
        self._seed = options.seed
        self._rank = rank
        self._share = min(options.batch_size * options.accumulate, max(1, len(rows) // world))
        self._world = world
        self._repeat = options.repeat or max(1, math.ceil(_STEPS * self.pictures / len(rows)))
        self.epoch = 0
        self.start = 0

    @property
    def pictures(self) -> int:
        """Pictures per step, of all processes."""
        return self._share * self._world

    @property
    def steps(self) -> int:
        """Steps in a whole epoch."""
        return len(self._rows) * self._repeat // self.pictures

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """Each step as a list of (pass, row)."""
        draw = np.random.default_rng((self._seed, self.epoch))
        passes = range(self.epoch * self._repeat, (self.epoch + 1) * self._repeat)
        order = [(number, int(row)) for number in passes for row in draw.permutation(self._rows)]
        for step in range(self.start, self.steps):
            first = step * self.pictures + self._rank * self._share
            yield order[first : first + self._share]

    def __len__(self) -> int:
        """Steps that are still to come."""
        return self.steps - self.start


class ThreadedLoader:
    """Steps that this process prepares itself, each picture in a thread.

    For training on the CPU: the network keeps every core busy between two steps, and another process, or another step
    prepared meanwhile, would only take them from it.
    """

    def __init__(self, pictures: AugmentedPictures, batches: EpochBatches, threads: int) -> None:
        self._pictures = pictures
        self._batches = batches
        self._threads = threads

    def __iter__(self) -> Iterator[Batch]:
        """Each step."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="lesionctl-augment") as pool:
            for batch in self._batches:
                views = pool.map(self._pictures.__getitem__, batch)
                yield Batch(*(torch.stack(values) for values in zip(*views, strict=True)))


def make_loader(store: Store, batches: EpochBatches, options: TrainOptions, device: torch.device) -> Iterable[Batch]:
    """The steps of an epoch: as `batches` says when they are asked for.

    Args:
        store: The prepared set.
        batches: Which pictures.
        options: How they are varied, and how many workers prepare them.
        device: Where they will go.
    """
    pictures = AugmentedPictures(store, options)
    workers = options.workers
    if workers < 0:
        cpus = available_cpus() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # torchrun's processes share them
        workers = 0 if device.type == "cpu" else max(1, min(16, cpus - 1))
    if workers == 0:
        return ThreadedLoader(pictures, batches, torch.get_num_threads())
    workers = min(workers, _workers_that_fit(options))
    return DataLoader(
        pictures,
        batch_sampler=batches,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        persistent_workers=True,
        prefetch_factor=_PREFETCH,
        # Its own generator: a loader draws from torch's at each beginning, and a run that goes on begins once more.
        generator=torch.Generator(),
        # OpenCV's own threads in every worker would fight for the same cores, and can hang after a fork.
        worker_init_fn=_one_thread,
    )


def _workers_that_fit(options: TrainOptions) -> int:
    """How many workers' steps fit into half of the shared memory that is free, through which they hand them over."""
    if not _SHARED_MEMORY.is_dir():
        return sys.maxsize
    step = options.batch_size * options.accumulate * options.size**2 * 4  # bytes: three channels and a mask
    return max(1, shutil.disk_usage(_SHARED_MEMORY).free // 2 // ((_PREFETCH + 1) * step))


def _one_thread(_: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


class Feed:
    """Hands out the steps of a loader on the device, and keeps the time that training had to wait for them.

    A GPU works on one step while the next one is fetched: nothing here waits for it.

    Args:
        loader: The steps.
        device: Where they go.

    Attributes:
        seconds: How long training has waited for data.
    """

    def __init__(self, loader: Iterable[Batch], device: torch.device) -> None:
        self._loader = loader
        self._device = device
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Batch]:
        """Each step."""
        batches = iter(self._loader)
        while True:
            began = time.perf_counter()
            batch = next(batches, None)
            self.seconds += time.perf_counter() - began
            if batch is None:
                return
            yield Batch(*batch).to(self._device)
