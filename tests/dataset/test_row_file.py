"""A `.npy` file that grows row by row, and goes on after its writer was killed."""

from __future__ import annotations

import numpy as np
import pytest

from lesionctl.dataset.row_file import RowFile, RowReader, keep_rows
from lesionctl.errors import BadFile

UINT8, INT64 = np.dtype(np.uint8), np.dtype(np.int64)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.npy"


def write(path, values, rows=0):
    file = RowFile(path, UINT8, (2, 3), rows)
    for value in values:
        file.append(np.full((2, 3), value, np.uint8))
    return file


def first_values(path):
    return np.load(path)[:, 0, 0].tolist()


@pytest.mark.parametrize("count", [0, 1, 12, 1001])
def test_rows_are_a_plain_npy_file(path, count):
    file = RowFile(path, INT64, ())
    for number in range(count):
        file.append(np.array(number))
    file.close()
    rows = np.load(path)
    assert (rows.dtype, rows.tolist()) == (INT64, list(range(count)))


def test_a_row_of_another_layout_is_written_as_it_reads(path):
    file = RowFile(path, UINT8, (2, 3))
    row = np.arange(6, dtype=np.uint8).reshape(3, 2).T
    file.append(row)
    file.close()
    np.testing.assert_array_equal(np.load(path)[0], row)


@pytest.mark.parametrize(
    ("kept", "then", "expected"),
    [
        (0, [9], [9]),
        (2, [9], [1, 2, 9]),  # the third row is dropped
        (3, [], [1, 2, 3]),
        (3, [8, 9], [1, 2, 3, 8, 9]),
    ],
)
def test_a_later_process_goes_on_after_the_rows_that_it_keeps(path, kept, then, expected):
    write(path, [1, 2, 3]).flush()  # and never closed: the header still says that there are none
    write(path, then, rows=kept).close()
    assert first_values(path) == expected
    assert path.stat().st_size == 128 + 6 * len(expected)


def test_a_half_written_row_is_dropped(path):
    write(path, [1, 2, 3]).flush()
    path.write_bytes(path.read_bytes()[:-2])
    write(path, [9], rows=2).close()
    assert first_values(path) == [1, 2, 9]


def test_fewer_rows_than_there_should_be_are_a_bad_file(path):
    write(path, [1, 2, 3]).flush()
    with pytest.raises(BadFile, match="does not hold the 4 rows that it should"):
        write(path, [], rows=4)


def test_rows_are_read_one_by_one_as_they_were_written(tmp_path):
    rows = np.arange(5 * 2 * 3, dtype=np.int16).reshape(5, 2, 3)
    np.save(tmp_path / "rows.npy", rows)
    reader = RowReader(tmp_path / "rows.npy")
    assert len(reader) == 5
    np.testing.assert_array_equal(reader[3], rows[3])
    np.testing.assert_array_equal(np.stack(list(reader)), rows)
    for row in (-1, 5):
        with pytest.raises(IndexError):
            reader[row]


@pytest.mark.parametrize("kept", [[], [0], [4], [1, 2, 4], [0, 1, 2, 3, 4]])
def test_rows_are_dropped_in_place(tmp_path, kept):
    rows = np.arange(5 * 3, dtype=np.float32).reshape(5, 3)
    np.save(tmp_path / "rows.npy", rows)
    keep_rows(tmp_path / "rows.npy", kept)
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), rows[kept])
