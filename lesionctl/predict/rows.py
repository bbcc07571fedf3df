"""Tables that grow while pictures are predicted: each row is on disk once it is there, and a later run goes on."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionctl.atomic import escape_undecodable
from lesionctl.errors import LesionctlError, UsageError
from lesionctl.predict.records import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lesionctl.predict.records import Prediction

_JOINED = "; "  # between the values of a cell


class LineFile:
    """A text file that grows by whole lines, each about one picture, over as many runs as it takes.

    A last line that a killed process left half written is dropped, whole lines are kept. One process at a time may
    have it open.

    Args:
        path: The file; its directory is made. Where it exists, it is gone on with.
        beginning: How every such file begins.
        header: The first line where there is one, which a new file is given; it is part of `beginning`.
        name_of: The picture that a line is about; raises ValueError, KeyError or TypeError for what is no such line.

    Raises:
        UsageError: There is something else at `path`.
        LesionctlError: It cannot be written.
    """

    def __init__(self, path: Path, beginning: str, header: str, name_of: Callable[[str], str]) -> None:
        self.path = path
        self.names: set[str] = set()
        self._header = header
        self._name_of = name_of
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            end = self._read(beginning.encode()) if path.exists() else 0
            self._file = path.open("r+b" if path.exists() else "w+b")
            self._file.truncate(end)
            self._file.seek(end)
            if not end:
                self._write(header)

    def add(self, name: str, line: str) -> None:
        """Append a line, unless there is one about this picture already.

        Args:
            name: The picture.
            line: Without its end.

        Raises:
            LesionctlError: The disk is full, or the file has become unreachable.
        """
        if name in self.names:
            return
        with _writing(self.path):
            self._write(f"{line}\n")
        self.names.add(name)

    def forget(self, names: Iterable[str]) -> None:
        """Remove the lines about these pictures, so that new ones can be added."""
        gone = self.names.intersection(names)
        if not gone:
            return
        kept = self.path.with_name(f".{self.path.name}.kept")
        with _writing(self.path):
            with kept.open("wb") as file:
                file.write(self._header.encode())
                file.writelines(f"{line}\n".encode() for line in self.lines() if self._name_of(line) not in gone)
                file.flush()
                os.fsync(file.fileno())
            self._file.close()
            os.replace(kept, self.path)  # noqa: PTH105 - in the words of atomic.py
            self._file = self.path.open("r+b")
            self._file.seek(0, os.SEEK_END)
        self.names -= gone

    def lines(self) -> Iterator[str]:
        """All lines but the header, without their ends."""
        with self.path.open("rb") as file:
            file.seek(len(self._header.encode()))
            for line in file:
                yield line[:-1].decode()

    def close(self) -> None:
        """See to it that the file is on disk, and close it."""
        with _writing(self.path):
            os.fsync(self._file.fileno())
            self._file.close()

    def _write(self, text: str) -> None:
        self._file.write(escape_undecodable(text).encode())
        self._file.flush()  # to the system: it is there even when this process is killed

    def _read(self, beginning: bytes) -> int:
        """Learn the names of all lines; returns where the whole ones end."""
        end = 0
        with self.path.open("rb") as file:
            start = file.read(len(beginning))
            if start != beginning[: len(start)]:
                raise self._other(1)
            file.seek(0)
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                if end <= len(self._header.encode()):
                    continue
                try:
                    self.names.add(self._name_of(line[:-1].decode()))
                except (ValueError, KeyError, TypeError) as error:
                    raise self._other(number) from error
        return end

    def _other(self, number: int) -> UsageError:
        return UsageError(
            f"{self.path} exists already and is not gone on with: its line {number} is not what would be written there",
            hint="choose another name, or move it away",
        )


class _Rows:
    """What both forms of a table have in common."""

    def __init__(self, lines: LineFile, form: Callable[[dict[str, Any]], str]) -> None:
        self._lines = lines
        self._form = form

    def add(self, prediction: Prediction) -> None:
        """Write a row at once, unless there is one for the picture already.

        Raises:
            LesionctlError: The disk is full, or the file has become unreachable.
        """
        self._lines.add(_name(prediction.image), self._form(prediction.to_dict()))

    def __contains__(self, image: Path) -> bool:
        """Whether there is a row for a picture."""
        return _name(image) in self._lines.names

    def forget(self, images: Iterable[Path]) -> None:
        """Remove the rows of pictures that are predicted anew.

        Raises:
            LesionctlError: The disk is full, or the file has become unreachable.
        """
        self._lines.forget(map(_name, images))

    def close(self) -> None:
        """See to it that the file is on disk, and close it.

        Raises:
            LesionctlError: The disk is full, or the file has become unreachable.
        """
        self._lines.close()


class CsvRows(_Rows):
    """A CSV file with a row for each picture, under the columns of `COLUMNS`.

    Several values of a cell are joined by `; `, and what does not exist is empty.

    Args:
        path: The file; see `LineFile`.

    Raises:
        UsageError: There is something else at `path`, such as a table with other columns.
        LesionctlError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        header = _csv_line(COLUMNS) + "\n"
        super().__init__(LineFile(path, header, header, _image_of_csv), _csv_row)


class JsonLines(_Rows):
    """A file with a line of JSON for each picture: an object with the keys of `COLUMNS`.

    Args:
        path: The file; see `LineFile`.

    Raises:
        UsageError: There is something else at `path`.
        LesionctlError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        lines = LineFile(path, f'{{"{COLUMNS[0]}": "', "", _image_of_json)
        super().__init__(lines, partial(json.dumps, ensure_ascii=False))


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LesionctlError(f"{path} cannot be written ({error.strerror or error})") from error


def _name(image: Path) -> str:
    return _one_line(escape_undecodable(str(image)))


def _one_line(text: str) -> str:
    """File names may hold ends of lines, which would tear a row in two."""
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return _JOINED.join(value)
    return "" if value is None else _one_line(str(value))


def _csv_row(row: dict[str, Any]) -> str:
    return _csv_line(map(_cell, row.values()))


def _csv_line(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def _image_of_csv(line: str) -> str:
    cells = next(csv.reader([line]))
    if len(cells) != len(COLUMNS):
        raise ValueError(f"{len(cells)} columns")
    return cells[0]


def _image_of_json(line: str) -> str:
    row = json.loads(line)
    if tuple(row) != COLUMNS:
        raise ValueError("other keys")
    return _name(row[COLUMNS[0]])
