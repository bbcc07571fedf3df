"""Batches of training pictures, the same for the same seed whoever prepares them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from lesionctl.runtime.threads import available_cpus
from lesionctl.train.augment import Augmentation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from lesionctl.dataset.store import Store
    from lesionctl.train.options import TrainOptions


class AugmentedPictures(Dataset[tuple["Tensor", "Tensor"]]):
    """Random views of the pictures of a store. An index is (epoch, row): it alone, with the seed, decides the view."""

    def __init__(self, store: Store, options: TrainOptions) -> None:
        self._store = store
        self._seed = options.seed
        self._augment = Augmentation(options.size, enabled=options.augment)

    def __getitem__(self, index: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """A view: uint8 `[size, size, 3]` and float32 `[1, size, size]`."""
        epoch, row = index
        seed = int(np.random.SeedSequence((self._seed, epoch, row)).generate_state(1)[0])
        image, mask = self._augment(np.array(self._store.images[row]), np.array(self._store.masks[row]), seed)
        return torch.from_numpy(image), torch.from_numpy(mask.astype(np.float32))[None]


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """The batches of one epoch, from one of them on: a seeded order of all rows, the incomplete last batch left out.

    Args:
        rows: The rows of the training split.
        batch_size: Rows per batch.
        seed: Seed of the order.
    """

    def __init__(self, rows: NDArray[np.int64], batch_size: int, seed: int) -> None:
        self._rows = rows
        self._batch_size = min(batch_size, len(rows))
        self._seed = seed
        self.epoch = 0
        self.start = 0

    @property
    def steps(self) -> int:
        """Batches in a whole epoch."""
        return len(self._rows) // self._batch_size

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """Each batch as a list of (epoch, row)."""
        order = np.random.default_rng((self._seed, self.epoch)).permutation(self._rows)
        for step in range(self.start, self.steps):
            batch = order[step * self._batch_size : (step + 1) * self._batch_size]
            yield [(self.epoch, int(row)) for row in batch]

    def __len__(self) -> int:
        """Batches that are still to come."""
        return self.steps - self.start


def make_loader(
    store: Store, batches: EpochBatches, options: TrainOptions, device: torch.device
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Batches of uint8 `[B, size, size, 3]` and float32 `[B, 1, size, size]`.

    On the CPU the training process prepares them itself unless told otherwise: the network keeps every core busy, and
    another process would only take them from it.
    """
    workers = options.workers
    if workers < 0:
        workers = 0 if device.type == "cpu" else max(1, min(16, available_cpus() - 1))
    return DataLoader(
        AugmentedPictures(store, options),
        batch_sampler=batches,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
        # Its own generator: a loader draws from torch's at each beginning, and a run that goes on begins once more.
        generator=torch.Generator(),
        # OpenCV's own threads in every worker would fight for the same cores, and can hang after a fork.
        worker_init_fn=_one_thread,
    )


def _one_thread(_: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
