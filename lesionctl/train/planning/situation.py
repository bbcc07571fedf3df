"""What a plan starts from: the set's numbers, and the device's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from lesionctl.dataset.samples import Split
from lesionctl.errors import UsageError
from lesionctl.progress import format_bytes
from lesionctl.train.sampling import sources_of, training_rows, views_of_a_pass

if TYPE_CHECKING:
    from lesionctl.dataset.store import Store
    from lesionctl.runtime.device import Compute
    from lesionctl.train.options import TrainOptions


@dataclass(frozen=True)
class Situation:
    """The numbers that rules look at; those of pictures are of the training split alone.

    Attributes:
        train: Training pictures, without those of sources that are left out.
        validation: Validation pictures.
        side: Side of the store's squares, in pixels.
        native: Median of the pictures' shorter sides, in pixels.
        small_lesion: Share of the picture that is lesion, in [0, 1]: 19 of 20 lesions are larger.
        device: cpu, cuda or mps.
        gpu_memory: Bytes of the GPU's whole memory; None without CUDA.
        weighted: Views that a pass over the training pictures shows where sources weigh differently; None where it
            shows each picture once.
    """

    train: int
    validation: int
    side: int
    native: int
    small_lesion: float
    device: str
    gpu_memory: int | None = None
    weighted: int | None = None

    @property
    def views(self) -> int:
        """Views that a pass over the training pictures shows."""
        return self.train if self.weighted is None else self.weighted

    @property
    def views_text(self) -> str:
        """The same in words."""
        pictures = f"{self.train} training pictures"
        return pictures if self.weighted is None else f"{self.weighted} views of {pictures}"

    @property
    def memory_text(self) -> str:
        """The GPU's memory in words."""
        return "memory unknown" if self.gpu_memory is None else f"{format_bytes(self.gpu_memory)} of memory"


def look_at(store: Store, compute: Compute, options: TrainOptions) -> Situation:
    """Gather the numbers.

    Raises:
        UsageError: There is nothing to train on, or nothing to validate on, or a source that is not there weighs more.
    """
    rows = training_rows(store, options)
    train = [store.samples[row] for row in rows]
    validation = [sample for sample in store.samples if sample.split is Split.VALIDATION]
    if not validation:
        raise UsageError(f"{store.path} has no {Split.VALIDATION} split", hint="prepare it with --split 70/10/20")
    views = views_of_a_pass(sources_of(store, rows), options)
    return Situation(
        train=len(train),
        validation=len(validation),
        side=store.info.size,
        native=int(np.median([min(sample.height, sample.width) for sample in train])),
        small_lesion=float(np.percentile([sample.lesion_fraction for sample in train], 5)),
        device=compute.device.type,
        gpu_memory=gpu_memory(compute),
        weighted=sum(views.values()) if options.source_weight else None,
    )


def gpu_memory(compute: Compute) -> int | None:
    """Bytes of a CUDA device's whole memory; None of any other."""
    if compute.device.type != "cuda":
        return None
    return int(torch.cuda.get_device_properties(compute.device).total_memory)
