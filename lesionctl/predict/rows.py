"""Tables that grow while pictures are predicted: each row is on disk once it is there, and a later run goes on."""

from __future__ import annotations

import csv
import io
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lesionctl.atomic import escape_undecodable, lock_file, unlock_file
from lesionctl.errors import LesionctlError, UsageError
from lesionctl.predict.records import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from filelock import FileLock

    from lesionctl.predict.records import Prediction

_JOINED = "; "  # between the values of a cell
_MASK = COLUMNS.index("mask")


class LineFile:
    """A text file that grows by whole lines, each about one mask, over as many runs as it takes.

    A last line that a killed process left half written is dropped, whole lines are kept. Of several lines about one
    mask the last one counts; the others go when the file is closed. One process at a time may have it open: see
    `take_file`.

    Args:
        path: The file; its directory is made. Where it exists, it is gone on with.
        beginning: How every such file begins.
        header: The first line where there is one, which a new file is given; it is part of `beginning`.
        name_of: The mask that a line is about; raises ValueError, KeyError or TypeError for what is no such line.
        stamp_of: The part of a line that tells whether another one about the same mask says the same.

    Raises:
        UsageError: There is something else at `path`.
        LesionctlError: It cannot be written.
    """

    def __init__(
        self,
        path: Path,
        beginning: str,
        header: str,
        name_of: Callable[[str], str],
        stamp_of: Callable[[str], str] = str,
    ) -> None:
        self.path = path
        self._stamps: dict[str, int] = {}
        self._is_repetitive = False
        self._header = header
        self._name_of = name_of
        self._stamp_of = stamp_of
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            end = self._read(beginning.encode()) if path.exists() else 0
            self._file = path.open("r+b" if path.exists() else "w+b")
            self._file.truncate(end)
            self._file.seek(end)
            if not end:
                self._write(header)

    def holds(self, name: str, stamp: str) -> bool:
        """Whether the last line about a mask has this stamp."""
        return self._stamps.get(name) == hash(stamp)

    def add(self, name: str, line: str) -> None:
        """Append a line, unless the same is there already.

        Args:
            name: The mask.
            line: Without its end.

        Raises:
            LesionctlError: The disk is full, or the file has become unreachable.
        """
        line = escape_undecodable(line)
        if self.holds(name, self._stamp_of(line)):
            return
        with _writing(self.path):
            self._write(f"{line}\n")
        self._learn(name, line)

    def forget(self, names: Iterable[str]) -> None:
        """Remove the lines about these masks, so that new ones can be added."""
        gone = self._stamps.keys() & set(names)
        if gone:
            self._rewrite(gone)

    def lines(self) -> Iterator[str]:
        """All lines but the header, without their ends."""
        with self.path.open("rb") as file:
            file.seek(len(self._header.encode()))
            for line in file:
                yield line[:-1].decode()

    def close(self) -> None:
        """See to it that the file is on disk with a line for each mask, and close it."""
        if self._is_repetitive:
            self._rewrite(set())
        with _writing(self.path):
            os.fsync(self._file.fileno())
            self._file.close()

    def _rewrite(self, gone: set[str]) -> None:
        """Write the file anew with the last line of each mask, but of those that are to go."""
        kept = self.path.with_name(f".{self.path.name}.kept")
        last = {self._name_of(line): number for number, line in enumerate(self.lines())}
        with _writing(self.path):
            with kept.open("wb") as file:
                file.write(self._header.encode())
                for number, line in enumerate(self.lines()):
                    name = self._name_of(line)
                    if name not in gone and last[name] == number:
                        file.write(f"{line}\n".encode())
                file.flush()
                os.fsync(file.fileno())
            self._file.close()
            os.replace(kept, self.path)  # noqa: PTH105 - in the words of atomic.py
            self._file = self.path.open("r+b")
            self._file.seek(0, os.SEEK_END)
        for name in gone:
            del self._stamps[name]
        self._is_repetitive = False

    def _learn(self, name: str, line: str) -> None:
        self._is_repetitive |= name in self._stamps
        self._stamps[name] = hash(self._stamp_of(line))

    def _write(self, text: str) -> None:
        self._file.write(text.encode())
        self._file.flush()  # to the system: it is there even when this process is killed

    def _read(self, beginning: bytes) -> int:
        """Learn what all lines are about; returns where the whole ones end."""
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
                    text = line[:-1].decode()
                    self._learn(self._name_of(text), text)
                except (ValueError, KeyError, TypeError) as error:
                    raise self._other(number) from error
        return end

    def _other(self, number: int) -> UsageError:
        return UsageError(
            f"{self.path} exists already and is not gone on with: its line {number} is not what would be written there",
            hint="choose another name, or move it away",
        )


class CsvRows:
    """A CSV file with a row for each picture, under the columns of `COLUMNS`.

    Several values of a cell are joined by `; `, and what does not exist is empty. A row is that of its mask, however
    the picture or the folder is spelled.

    Args:
        path: The file; see `LineFile`.
        out: The folder of the masks.

    Raises:
        UsageError: There is something else at `path`, such as a table with other columns.
        LesionctlError: It cannot be written, or another process is writing it.
    """

    def __init__(self, path: Path, out: Path) -> None:
        header = _csv_line(COLUMNS) + "\n"
        self._names = MaskNames(out)
        self._lock = take_file(path)
        try:
            self._lines = LineFile(path, header, header, lambda line: self._names.of_text(_mask_of_csv(line)))
        except BaseException:
            unlock_file(self._lock)
            raise

    def add(self, prediction: Prediction) -> None:
        """Write a row at once, unless the same is there already; one that says something else is replaced.

        Raises:
            LesionctlError: The disk is full, or the file has become unreachable.
        """
        line = _csv_line(map(_cell, prediction.to_dict().values()))
        self._lines.add(self._names.of(prediction.mask), line)

    def forget(self, masks: Iterable[Path]) -> None:
        """Remove the rows of masks that are made anew.

        Raises:
            LesionctlError: The disk is full, or the file has become unreachable.
        """
        self._lines.forget(map(self._names.of, masks))

    def close(self) -> None:
        """See to it that the file is on disk, and close it.

        Raises:
            LesionctlError: The disk is full, or the file has become unreachable.
        """
        try:
            self._lines.close()
        finally:
            unlock_file(self._lock)


class MaskNames:
    """What masks are called whatever the spelling of their folder: the path from there, if they lie in it."""

    def __init__(self, out: Path) -> None:
        self._folder = in_a_cell(os.path.join(os.path.abspath(out), ""))  # noqa: PTH100, PTH118 - it is text

    def of(self, mask: Path) -> str:
        """The name of a mask."""
        return self.of_text(str(mask))

    def of_text(self, text: str) -> str:
        """The name of a mask, from how it is written in a file."""
        path = os.path.abspath(in_a_cell(text))  # noqa: PTH100 - a Path takes ten times as long
        return path.removeprefix(self._folder)


def take_file(path: Path) -> FileLock:
    """Take a file that grows for this process alone, until `unlock_file`; its directory is made.

    Raises:
        LesionctlError: Another process has it, or it cannot be written.
    """
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return lock_file(path)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LesionctlError(f"{path} cannot be written ({error.strerror or error})") from error


def in_a_cell(text: str) -> str:
    """How a file name stands in a table: on one line, and with backslashes for bytes that are not UTF-8."""
    return _one_line(escape_undecodable(text))


def _one_line(text: str) -> str:
    """File names may hold ends of lines, which would tear a row in two."""
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return _JOINED.join(value)
    return "" if value is None else _one_line(str(value))


def _csv_line(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def _mask_of_csv(line: str) -> str:
    cells = next(csv.reader([line]))
    if len(cells) != len(COLUMNS):
        raise ValueError(f"{len(cells)} columns")
    return cells[_MASK]
