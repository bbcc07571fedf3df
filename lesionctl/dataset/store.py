"""The prepared set on disk: few big files, memory-mapped, read by training and by scoring."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.atomic import write_text
from lesionctl.dataset.native_masks import NativeMasks, NativeMaskWriter, keep_native_masks
from lesionctl.dataset.row_file import RowFile, RowReader, keep_rows
from lesionctl.dataset.samples import Sample, Split, format_samples, read_samples
from lesionctl.errors import BadFile, UsageError
from lesionctl.imaging.resize_rule import ResizeRule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lesionctl.imaging.arrays import Image, Mask

_FORMAT = 2
_IMAGES, _MASKS, _SAMPLES, _ABOUT = "images.npy", "masks.npy", "samples.csv", "store.json"


@dataclass(frozen=True)
class StoreInfo:
    """What `store.json` says about the whole.

    Attributes:
        size: Side of the stored squares, in pixels.
        resize: How pictures became squares.
        seed: Seed of the split.
        digest: SHA-256 over ids, keys, groups, splits, folds and the digests of pictures and masks: the same digest is
            the same data and split.
        folds: Number of folds of a cross-validation; 0 without.
        format: Version of the layout on disk.
    """

    size: int
    resize: ResizeRule
    seed: int
    digest: str
    folds: int = 0
    format: int = _FORMAT


@dataclass(frozen=True)
class Store:
    """A prepared set.

    Attributes:
        path: Its directory.
        info: What it is.
        samples: One for each row of the arrays.
        images: uint8 `[N, size, size, 3]`, memory-mapped.
        masks: bool `[N, size, size]`, memory-mapped.
        native_masks: The masks at their own size, by row.
    """

    path: Path
    info: StoreInfo
    samples: list[Sample]
    images: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    native_masks: NativeMasks

    def rows(self, split: Split) -> NDArray[np.int64]:
        """The rows of the arrays that belong to `split`, ascending."""
        return np.array([row for row, sample in enumerate(self.samples) if sample.split is split], np.int64)

    def at_fold(self, fold: int) -> Store:
        """The same set with the splits of one fold: it is validated on, the other folds are trained on.

        Raises:
            UsageError: There is no such fold.
        """
        if not 0 <= fold < self.info.folds:
            known = (
                f"its folds are 0 to {self.info.folds - 1}" if self.info.folds else "it was prepared without --folds"
            )
            raise UsageError(f"{self.path} has no fold {fold}", hint=known)
        samples = [
            sample
            if sample.fold is None
            else replace(sample, split=Split.VALIDATION if sample.fold == fold else Split.TRAIN)
            for sample in self.samples
        ]
        return replace(self, samples=samples)


class StoreWriter:
    """Fills a directory with a store, row by row in constant memory.

    Args:
        path: An existing directory.
        size: Side of the squares, in pixels.
        resize: How pictures become squares.
        rows: How many rows an earlier writer left there for sure; whatever it wrote after them is dropped.
    """

    def __init__(self, path: Path, size: int, resize: ResizeRule, rows: int = 0) -> None:
        self.path = path
        self.size = size
        self.resize = resize
        self._images = RowFile(path / _IMAGES, np.dtype(np.uint8), (size, size, 3), rows)
        self._masks = RowFile(path / _MASKS, np.dtype(np.bool_), (size, size), rows)
        self._native = NativeMaskWriter(path, rows)

    def append(self, image: Image, mask: Mask, native_mask: bytes) -> None:
        """Add a row.

        Args:
            image: uint8 `[size, size, 3]`.
            mask: bool `[size, size]`.
            native_mask: The mask at its own size, as `native_masks.pack` makes it.
        """
        self._images.append(image)
        self._masks.append(mask)
        self._native.append(native_mask)

    def flush(self) -> None:
        """Hand every row so far to the operating system, where the end of this process cannot lose them."""
        for file in (self._images, self._masks, self._native):
            file.flush()

    def close(self) -> None:
        """Complete the arrays."""
        for file in (self._images, self._masks, self._native):
            file.close()

    def keep_rows(self, rows: Sequence[int]) -> None:
        """Drop every other row, once the writer is closed.

        Args:
            rows: The rows to keep, ascending.
        """
        keep_rows(self.path / _IMAGES, rows)
        keep_rows(self.path / _MASKS, rows)
        keep_native_masks(self.path, rows)

    def images(self) -> RowReader:
        """The pictures, once the writer is closed: rows of uint8 `[size, size, 3]`."""
        return RowReader(self.path / _IMAGES)

    def masks(self) -> RowReader:
        """The masks, once the writer is closed: rows of bool `[size, size]`."""
        return RowReader(self.path / _MASKS)

    def describe(self, samples: list[Sample], seed: int, folds: int = 0) -> StoreInfo:
        """Write what is known of the rows.

        Args:
            samples: One for each row, in order.
            seed: Seed of the split.
            folds: Number of folds of a cross-validation; 0 without.
        """
        info = StoreInfo(self.size, self.resize, seed, samples_digest(samples), folds)
        write_text(self.path / _SAMPLES, format_samples(samples))
        write_text(self.path / _ABOUT, json.dumps(asdict(info), indent=2) + "\n")
        return info


def samples_digest(samples: list[Sample]) -> str:
    """SHA-256, in hex, over what identifies each sample and its split; the order of the samples does not matter."""
    lines = sorted(
        f"{s.source}\t{s.id}\t{s.group}\t{s.split}\t{s.fold}\t{';'.join(s.keys)}\t{s.sha256}\t{s.mask_sha256}\n"
        for s in samples
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def open_store(path: Path) -> Store:
    """Open a prepared set without reading its pictures.

    Raises:
        BadFile: There is none at `path`, or its files do not agree.
    """
    about = path / _ABOUT
    if not about.is_file():
        raise BadFile(path, "is no prepared set: it has no store.json", hint="make one with: lesionctl prepare")
    try:
        values = json.loads(about.read_text())
        if values["format"] != _FORMAT:
            raise BadFile(path, f"has the layout of another version ({values['format']})", hint="prepare it again")
        info = StoreInfo(**{**values, "resize": ResizeRule(values["resize"])})
        images, masks = (np.load(path / name, mmap_mode="r") for name in (_IMAGES, _MASKS))
        native_masks = NativeMasks(path)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise BadFile(path, f"is a damaged prepared set ({error})", hint="prepare it again") from error
    shape = (len(images), info.size, info.size)
    if (images.shape, masks.shape) != ((*shape, 3), shape) or (images.dtype, masks.dtype) != (np.uint8, np.bool_):
        raise BadFile(path, "is a damaged prepared set: its arrays have the wrong shape", hint="prepare it again")
    samples = read_samples(path / _SAMPLES)
    if not len(samples) == len(images) == len(native_masks) or samples_digest(samples) != info.digest:
        raise BadFile(path, "is a damaged prepared set: its list and its pictures disagree", hint="prepare it again")
    return Store(path, info, samples, images, masks, native_masks)
