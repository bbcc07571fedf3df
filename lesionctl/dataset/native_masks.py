"""The masks of a prepared set at their own size, for scoring: one file of packed masks, one of where each begins."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.dataset.row_file import RowFile
from lesionctl.errors import BadFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lesionctl.imaging.arrays import Mask

_CONTENT, _ENDS = "native_masks.bin", "native_masks.npy"


def pack(mask: Mask) -> bytes:
    """A mask in few bytes: eight pixels to a byte, then deflated, in a fifth of a PNG's time.

    Args:
        mask: bool `[H, W]`.
    """
    return zlib.compress(np.packbits(mask, axis=None).data, 1)


def unpack(content: bytes, height: int, width: int) -> Mask:
    """What `pack` packed: bool `[height, width]`.

    Raises:
        zlib.error: The content is damaged.
        ValueError: It is not of this size.
    """
    bits = np.frombuffer(zlib.decompress(content), np.uint8)
    if len(bits) != -(-height * width // 8):
        raise ValueError(f"a mask of {height} × {width} pixels is not {len(bits)} bytes long")
    return np.unpackbits(bits, count=height * width).reshape(height, width).view(np.bool_)


class NativeMaskWriter:
    """Adds masks one by one.

    Args:
        path: An existing directory.
        rows: Masks of an earlier process to keep; whatever follows them is dropped.

    Raises:
        BadFile: There are not so many.
    """

    def __init__(self, path: Path, rows: int = 0) -> None:
        self._ends = RowFile(path / _ENDS, np.dtype(np.int64), (), rows)
        self._content = (path / _CONTENT).open("r+b" if rows else "wb")
        end = 0
        if rows:
            self._ends.flush()
            end = int(np.fromfile(path / _ENDS, np.int64)[-1])
        if self._content.seek(0, 2) < end:
            self.close()
            raise BadFile(path / _CONTENT, f"does not hold the {rows} masks that it should")
        self._end = self._content.seek(end)
        self._content.truncate()

    def append(self, packed: bytes) -> None:
        """Add a mask that `pack` made."""
        self._content.write(packed)
        self._end += len(packed)
        self._ends.append(np.array(self._end, np.int64))

    def flush(self) -> None:
        """Hand every mask so far to the operating system."""
        self._content.flush()
        self._ends.flush()

    def close(self) -> None:
        """Complete the files, and write all to the disk."""
        self._content.flush()
        os.fsync(self._content.fileno())
        self._content.close()
        self._ends.close()


def keep_native_masks(path: Path, rows: Sequence[int]) -> None:
    """Drop every other mask of a directory whose writer is closed, in place.

    Args:
        path: The directory.
        rows: The masks to keep, ascending.
    """
    ends = np.load(path / _ENDS)
    if len(rows) == len(ends):
        return
    begins = np.concatenate([[0], ends[:-1]])
    lengths = (ends - begins)[list(rows)]
    with (path / _CONTENT).open("r+b") as file:
        position = 0
        for row, length in zip(rows, lengths, strict=True):
            file.seek(begins[row])
            content = file.read(length)
            file.seek(position)
            position += file.write(content)
        file.truncate(position)
    kept = RowFile(path / _ENDS, np.dtype(np.int64), ())
    for end in np.cumsum(lengths):
        kept.append(np.array(end, np.int64))
    kept.close()


class NativeMasks:
    """The packed masks of a prepared set.

    Args:
        path: Its directory.

    Raises:
        OSError: A file is missing.
        ValueError: The files do not agree.
    """

    def __init__(self, path: Path) -> None:
        self._path = path / _CONTENT
        self._ends = np.load(path / _ENDS)
        if self._path.stat().st_size != (self._ends[-1] if len(self._ends) else 0):
            raise ValueError(f"{_CONTENT} has not the length that {_ENDS} says")

    def __len__(self) -> int:
        """How many there are."""
        return len(self._ends)

    def read(self, row: int, height: int, width: int) -> Mask:
        """A mask at its own size: bool `[height, width]`.

        Args:
            row: Its row in the set.
            height: Its height in pixels, as the sample says.
            width: Its width in pixels.

        Raises:
            BadFile: The file is damaged or was removed.
        """
        begin = int(self._ends[row - 1]) if row else 0
        try:
            with self._path.open("rb") as file:
                file.seek(begin)
                content = file.read(int(self._ends[row]) - begin)
            return unpack(content, height, width)
        except (OSError, zlib.error, ValueError) as error:
            raise BadFile(self._path, f"is damaged ({error})", hint="prepare the set again") from error
