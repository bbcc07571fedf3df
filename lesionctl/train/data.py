"""Batches of training pictures, the same for the same seed whoever prepares them."""

from __future__ import annotations

import math
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
from lesionctl.train.sampling import views_of_a_pass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
    """Random views of the pictures of a store. An index is (round, row): it alone, with the seed, decides the view."""

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

    An epoch is one or more passes. A pass shows every row once, or those of a source as often as its factor says: each
    twice, or half of them and the others in the next pass. The rows of a source go round in a seeded order, so that
    over the passes all of them are shown equally often.

    Args:
        rows: The rows that are learned.
        options: Batch size, forward passes per step, repeats, factors of sources, seed.
        rank: Which of the processes this is.
        world: How many there are.
        sources: The source of each row; none where all are of one.

    Attributes:
        epoch: The epoch that is asked for, from 0.
        start: The step of it to begin with.
        shown: How many views of each source an epoch has, a step that is left out included.
    """

    def __init__(
        self,
        rows: NDArray[np.int64],
        options: TrainOptions,
        rank: int = 0,
        world: int = 1,
        sources: Sequence[str] = (),
    ) -> None:
        self._rows = rows
        self._seed = options.seed
        self._rank = rank
        names = np.array(sources or [""] * len(rows))
        views = views_of_a_pass(names.tolist(), options)
        self._sources = [(np.flatnonzero(names == name), number) for name, number in views.items()]
        self._views = sum(views.values())
        self._share = min(options.batch_size * options.accumulate, max(1, self._views // world))
        self._world = world
        self._repeat = options.repeat or max(1, math.ceil(_STEPS * self.pictures / self._views))
        self.shown = {name: number * self._repeat for name, number in views.items()}
        self.epoch = 0
        self.start = 0

    @property
    def pictures(self) -> int:
        """Pictures per step, of all processes."""
        return self._share * self._world

    @property
    def steps(self) -> int:
        """Steps in a whole epoch."""
        return self._views * self._repeat // self.pictures

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """Each step as a list of (round, row): how often the row was shown before, and where it stands."""
        draw = np.random.default_rng((self._seed, self.epoch))
        order: list[tuple[int, int]] = []
        for number in range(self.epoch * self._repeat, (self.epoch + 1) * self._repeat):
            views = self._views_of(number)
            order += [views[place] for place in draw.permutation(len(views))]
        for step in range(self.start, self.steps):
            first = step * self.pictures + self._rank * self._share
            yield order[first : first + self._share]

    def __len__(self) -> int:
        """Steps that are still to come."""
        return self.steps - self.start

    def _views_of(self, number: int) -> list[tuple[int, int]]:
        """The views of a pass, not in the order of the epoch yet."""
        views: list[tuple[int, int]] = []
        for source, (places, shown) in enumerate(self._sources):
            rounds, at = np.divmod(np.arange(number * shown, (number + 1) * shown), len(places))
            for turn in np.unique(rounds):
                seed = np.random.SeedSequence(self._seed, spawn_key=(source, int(turn)))
                taken = np.random.default_rng(seed).permutation(places)[at[rounds == turn]]
                views += [(int(turn), int(place)) for place in taken]
        return [(turn, int(self._rows[place])) for turn, place in sorted(views)]


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
        workers = 0 if device.type == "cpu" else max(1, min(16, available_cpus() - 1))
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
