"""From the files of a set to the folder that `prepare` takes: `images/`, `masks/`, `metadata.csv` and its terms."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from shutil import rmtree

from lesionctl.atomic import write_text
from lesionctl.dataset.pairs import mask_id
from lesionctl.errors import BadFile, LesionctlError
from lesionctl.fetch.archive.extract import unpack
from lesionctl.fetch.cache import hold
from lesionctl.fetch.catalog import WHOLE, FetchSet, Kind, Piece
from lesionctl.fetch.local import Supply
from lesionctl.fetch.record import SetRecord, Unpacked
from lesionctl.fetch.terms import write_terms
from lesionctl.imaging.decode import IMAGE_SUFFIXES
from lesionctl.progress import Progress

_TABLES = ".tables"  # where tables from an archive lie until they are merged
_ID_COLUMNS = ("image_id", "isic_id", "image", "image_name")


@contextmanager
def claim(directory: Path, entry: FetchSet, waiting: Callable[[bool], None]) -> Iterator[SetRecord]:
    """Make the folder of a set, or go on with it; no other job does so meanwhile.

    Args:
        directory: The folder.
        entry: The set.
        waiting: Called again and again while another job works there, with True at the first time.

    Returns:
        What lies there.

    Raises:
        LesionctlError: Something else lies there, or it cannot be written to.
    """
    require_free(directory, entry)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with hold(directory / ".lock", waiting):
            for leftover in (*directory.glob("*/.*.part"), *directory.glob(".*.part")):  # of a run that was killed
                leftover.unlink()
            rmtree(directory / _TABLES, ignore_errors=True)
            record = SetRecord.read(directory) or SetRecord(directory, entry.name)
            record.write()
            write_terms(directory, entry)
            yield record
    except OSError as error:
        raise LesionctlError(
            f"nothing can be written to {directory} ({error.strerror})", hint="name another folder with --to DIR"
        ) from error


def require_free(directory: Path, entry: FetchSet) -> None:
    """See that a folder can take a set.

    Raises:
        LesionctlError: Something else lies there.
    """
    try:  # looked at before the record, which another process may write meanwhile, and writes before anything else
        is_empty = all(path.name.startswith(".") for path in directory.iterdir())
    except FileNotFoundError:
        return
    except NotADirectoryError:
        is_empty = False
    record = SetRecord.read(directory)
    if record is not None and record.name != entry.name:
        raise LesionctlError(f"{directory} holds {record.name}, not {entry.name}", hint="choose another name")
    if record is None and not is_empty:
        raise LesionctlError(f"{directory} exists already, and holds something else", hint="choose another name")


def add_piece(record: SetRecord, entry: FetchSet, piece: Piece, supply: Supply, progress: Progress) -> None:
    """Unpack what is wanted of a file, merge what it says of the pictures, and note that it is there.

    A run that is killed meanwhile leaves whole files and no note: the next one does it again.

    Raises:
        BadFile: The file is damaged or hostile, or holds nothing of the set.
        LesionctlError: The disk is full.
        OSError: The disk is full, or the place cannot be written to.
    """
    file, directory = piece.file, record.directory
    tables: list[Path] = []
    pictures: list[Path] = []
    if Kind.METADATA in file.kinds:
        tables.append(supply.path)
    else:
        written = unpack(supply.path, directory, _places(piece), progress)
        tables = [path for path in written if path.parent.name == _TABLES]
        pictures = [path for path in written if path.parent.name != _TABLES]
        if not pictures:
            raise BadFile(supply.path, f"holds no {' or '.join(sorted(piece.kinds))} of {entry.name}")
    _merge_metadata(directory / "metadata.csv", entry, piece, pictures, tables)
    rmtree(directory / _TABLES, ignore_errors=True)
    masks = sum(path.parent.name == Kind.MASKS for path in pictures)
    record.add(
        file.name,
        Unpacked(file.part, piece.kinds, len(pictures) - masks, masks, str(supply.path.absolute()), supply.digests),
    )
    record.write()


def _places(piece: Piece) -> Callable[[str], str | None]:
    """Where the members of an archive go: pictures, masks and tables; the rest is passed over.

    `__MACOSX`, hidden files and the superpixels of 2017 are no pictures.
    """

    def place(member: str) -> str | None:
        path = PurePosixPath(member)
        if any(name.startswith((".", "__MACOSX")) for name in path.parts):
            return None
        if path.name.lower().endswith("metadata.csv") and Kind.IMAGES in piece.kinds:
            return f"{_TABLES}/{path.name}"
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.stem.lower().endswith("_superpixels"):
            return None
        for kind in (Kind.MASKS, Kind.IMAGES):
            if kind in piece.kinds and path.match(piece.file.patterns.get(kind, "*")):
                return f"{kind}/{path.name}"
        return None

    return place


def _merge_metadata(
    table: Path, entry: FetchSet, piece: Piece, pictures: Iterable[Path], tables: Iterable[Path]
) -> None:
    """Add to `metadata.csv` the pictures of a file with their split, and what tables say of them.

    Raises:
        BadFile: A table cannot be read.
        OSError: The disk is full, or the place cannot be written to.
    """
    rows = {row["image_id"]: row for row in _read_table(table)} if table.is_file() else {}
    for picture in pictures:
        name = mask_id(picture) if picture.parent.name == Kind.MASKS else picture.stem
        row = rows.setdefault(name, {"image_id": name})
        if piece.file.part != WHOLE:
            row["split"] = piece.file.part
    for path in tables:
        for row in _read_table(path):
            name = row[next(column for column in _ID_COLUMNS if column in row)]
            rows.setdefault(name, {"image_id": name}).update(row | {"image_id": name})
    columns = ["image_id", "split"] if entry.has_splits else ["image_id"]
    columns += dict.fromkeys(column for row in rows.values() for column in row if column not in columns)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[name] for name in sorted(rows))
    write_text(table, text.getvalue())


def _read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a table that has a column of picture ids.

    Raises:
        BadFile: It cannot be read, or has none.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            columns = reader.fieldnames or []
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadFile(path, f"is no table of metadata that can be read ({error})") from error
    if not set(_ID_COLUMNS) & set(columns) or any(None in row for row in rows):
        raise BadFile(path, f"is no table of metadata: it needs a column {' or '.join(_ID_COLUMNS)}")
    return rows
