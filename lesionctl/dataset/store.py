"""The prepared set on disk: few big files, memory-mapped, read by training and by scoring."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionctl.atomic import write_text
from lesionctl.dataset.samples import Sample, Split, format_samples, read_samples
from lesionctl.errors import BadFile
from lesionctl.imaging.resize_rule import ResizeRule

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lesionctl.imaging.arrays import Image, Mask

_FORMAT = 1
_IMAGES, _MASKS, _SAMPLES, _ABOUT = "images.npy", "masks.npy", "samples.csv", "store.json"


@dataclass(frozen=True)
class StoreInfo:
    """What `store.json` says about the whole.

    Attributes:
        size: Side of the stored squares, in pixels.
        resize: How pictures became squares.
        seed: Seed of the split.
        digest: SHA-256 over ids, groups, splits and the digests of pictures and masks: the same digest means the same
            data and split.
        format: Version of the layout on disk.
    """

    size: int
    resize: ResizeRule
    seed: int
    digest: str
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
    """

    path: Path
    info: StoreInfo
    samples: list[Sample]
    images: NDArray[np.uint8]
    masks: NDArray[np.bool_]

    def rows(self, split: Split) -> NDArray[np.int64]:
        """The rows of the arrays that belong to `split`, ascending."""
        return np.array([row for row, sample in enumerate(self.samples) if sample.split is split], np.int64)


class StoreWriter:
    """Fills a directory with a store, row by row in constant memory.

    Args:
        path: An existing, empty directory.
        size: Side of the squares, in pixels.
        resize: How pictures become squares.
    """

    def __init__(self, path: Path, size: int, resize: ResizeRule) -> None:
        self.path = path
        self.size = size
        self.resize = resize
        self._images = _GrowingArray(path / _IMAGES, np.dtype(np.uint8), (size, size, 3))
        self._masks = _GrowingArray(path / _MASKS, np.dtype(np.bool_), (size, size))

    def append(self, image: Image, mask: Mask) -> None:
        """Add a row: uint8 `[size, size, 3]` and bool `[size, size]`."""
        self._images.append(image)
        self._masks.append(mask)

    def finish(self, samples: list[Sample], seed: int) -> StoreInfo:
        """Complete the arrays and write what is known of their rows.

        Args:
            samples: One for each row, in order.
            seed: Seed of the split.
        """
        self._images.finish()
        self._masks.finish()
        info = StoreInfo(self.size, self.resize, seed, samples_digest(samples))
        write_text(self.path / _SAMPLES, format_samples(samples))
        write_text(self.path / _ABOUT, json.dumps(asdict(info), indent=2) + "\n")
        return info


class _GrowingArray:
    """A `.npy` file that rows are appended to.

    NumPy pads a header so that the length of the first axis can be rewritten in place once it is known.
    """

    def __init__(self, path: Path, dtype: np.dtype[Any], row_shape: tuple[int, ...]) -> None:
        self._file = path.open("wb")
        self._dtype = dtype
        self._row_shape = row_shape
        self._rows = 0
        self._write_header()

    def append(self, row: NDArray[Any]) -> None:
        self._file.write(np.ascontiguousarray(row, self._dtype).data)
        self._rows += 1

    def finish(self) -> None:
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        shape = (self._rows, *self._row_shape)
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)


def samples_digest(samples: list[Sample]) -> str:
    """SHA-256, in hex, over what identifies each sample and its split; the order of the samples does not matter."""
    lines = sorted(f"{s.source}\t{s.id}\t{s.group}\t{s.split}\t{s.sha256}\t{s.mask_sha256}\n" for s in samples)
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
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise BadFile(path, f"is a damaged prepared set ({error})", hint="prepare it again") from error
    shape = (len(images), info.size, info.size)
    if (images.shape, masks.shape) != ((*shape, 3), shape) or (images.dtype, masks.dtype) != (np.uint8, np.bool_):
        raise BadFile(path, "is a damaged prepared set: its arrays have the wrong shape", hint="prepare it again")
    samples = read_samples(path / _SAMPLES)
    if len(samples) != len(images) or samples_digest(samples) != info.digest:
        raise BadFile(path, "is a damaged prepared set: its list and its pictures disagree", hint="prepare it again")
    return Store(path, info, samples, images, masks)
