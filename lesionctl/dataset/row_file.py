"""A `.npy` file that rows are appended to, now and by a later process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionctl.errors import BadFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


class RowFile:
    """A `.npy` file under construction.

    NumPy pads a header so that the length of the first axis can be rewritten in place once it is known.

    Args:
        path: Of the file.
        dtype: Of its elements.
        row_shape: Shape of a row.
        rows: Rows of an earlier process to keep; whatever follows them is dropped.

    Raises:
        BadFile: The file does not hold so many rows.
    """

    def __init__(self, path: Path, dtype: np.dtype[Any], row_shape: tuple[int, ...], rows: int = 0) -> None:
        self._file = path.open("r+b" if rows else "wb")
        self._dtype = dtype
        self._row_shape = row_shape
        self._rows = rows
        self._write_header()
        end = self._file.tell() + rows * dtype.itemsize * int(np.prod(row_shape))
        if self._file.seek(0, 2) < end:
            self._file.close()
            raise BadFile(path, f"does not hold the {rows} rows that it should")
        self._file.seek(end)
        self._file.truncate()

    def append(self, row: NDArray[Any]) -> None:
        """Add a row of the file's shape."""
        self._file.write(np.ascontiguousarray(row, self._dtype).data)
        self._rows += 1

    def flush(self) -> None:
        """Hand every row so far to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Write the number of rows into the header, and all to the disk."""
        self._file.seek(0)
        self._write_header()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _write_header(self) -> None:
        shape = (self._rows, *self._row_shape)
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)


class RowReader:
    """The rows of a closed `.npy` file, read one by one from the disk.

    A memory-mapped array would do the same, but every page that was ever read would count as memory of this process.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        array = np.load(path, mmap_mode="r")
        self.path = path
        self.dtype, self.row_shape, self.begin = array.dtype, array.shape[1:], array.offset
        self.row_bytes = array.dtype.itemsize * int(np.prod(self.row_shape))
        self._rows = len(array)

    def __len__(self) -> int:
        """How many there are."""
        return self._rows

    def __getitem__(self, row: int) -> NDArray[Any]:
        """A row of the file's shape; from any thread.

        Raises:
            IndexError: There is no such row.
        """
        if not 0 <= row < self._rows:
            raise IndexError(row)
        count = int(np.prod(self.row_shape))
        values = np.fromfile(self.path, self.dtype, count, offset=self.begin + row * self.row_bytes)
        return values.reshape(self.row_shape)


def keep_rows(path: Path, rows: Sequence[int]) -> None:
    """Drop every other row of a closed `.npy` file, in place.

    Args:
        path: Of the file.
        rows: The rows to keep, ascending.
    """
    reader = RowReader(path)
    if len(rows) == len(reader):
        return
    with path.open("r+b") as file:
        for new, old in enumerate(rows):
            if new != old:
                file.seek(reader.begin + old * reader.row_bytes)
                content = file.read(reader.row_bytes)
                file.seek(reader.begin + new * reader.row_bytes)
                file.write(content)
    RowFile(path, reader.dtype, reader.row_shape, len(rows)).close()
