"""Where pairs come from: folders, tables that list them, and sets that were fetched."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from lesionctl.dataset.pairs import image_id, mask_id, pair_folders
from lesionctl.dataset.samples import Split
from lesionctl.dataset.table import read_table
from lesionctl.errors import BadFile, UsageError, did_you_mean
from lesionctl.paths import set_directory
from lesionctl.prepare.findings import Finding, Kind
from lesionctl.prepare.metadata import Metadata


@dataclass(frozen=True)
class Record:
    """A picture and its mask, as a source lists them.

    Attributes:
        source: Name of the source.
        id: The picture's id.
        image: The picture file.
        mask: The mask file.
        keys: What it shares with others: its id, and what the metadata say.
        split: The split that it is meant for, if any.
        diagnosis: As the metadata have it, or nothing.
    """

    source: str
    id: str
    image: Path
    mask: Path
    keys: frozenset[str] = frozenset()
    split: Split | None = None
    diagnosis: str = ""


@dataclass
class Listing:
    """What sources hold: records, and what is wrong with the other files."""

    records: list[Record] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class Source(ABC):
    """Pictures with masks.

    Attributes:
        name: What its samples are called by in `samples.csv`.
        only: Take the pictures of this official split alone.
    """

    name: str
    only: Split | None = None

    @abstractmethod
    def read_metadata(self, metadata: Metadata) -> None:
        """Add what lies with the pictures.

        Raises:
            BadFile: A table cannot be read.
        """

    @abstractmethod
    def list(self) -> Listing:
        """Its pairs, without what the metadata say of them.

        Raises:
            UsageError: A folder is missing.
            BadFile: A table cannot be read.
        """


@dataclass(frozen=True)
class FolderSource(Source):
    """A folder of pictures and the folder of their masks.

    Attributes:
        images: The pictures.
        masks: Their masks.
        metadata: A table that lies with them, if there is one.
    """

    images: Path = Path()
    masks: Path = Path()
    metadata: Path | None = None

    @classmethod
    def at(cls, folder: Path, name: str | None = None, only: Split | None = None) -> FolderSource:
        """A folder that holds `images/`, `masks/` and perhaps `metadata.csv`.

        Raises:
            UsageError: One of the two is missing.
        """
        images, masks, metadata = folder / "images", folder / "masks", folder / "metadata.csv"
        for part in (images, masks):
            if not part.is_dir():
                raise UsageError(
                    f"{folder} has no folder '{part.name}'",
                    hint="a source holds images/ and masks/; or name them with --images DIR --masks DIR",
                )
        return cls(name or folder.resolve().name, only, images, masks, metadata if metadata.is_file() else None)

    def read_metadata(self, metadata: Metadata) -> None:
        """Add the table that lies with the pictures, if there is one."""
        if self.metadata:
            metadata.read(self.metadata, self.name)

    def list(self) -> Listing:
        """Pictures and masks, paired by id."""
        pairing = pair_folders(self.images, self.masks)
        records = [Record(self.name, pair.id, pair.image, pair.mask) for pair in pairing.pairs]
        findings = [
            Finding(Kind.PICTURE_WITHOUT_MASK, self.name, image_id(path), path, "a picture without a mask")
            for path in pairing.images_without_mask
        ]
        findings += [
            Finding(Kind.MASK_WITHOUT_PICTURE, self.name, mask_id(path), path, "a mask without a picture")
            for path in pairing.masks_without_image
        ]
        findings += [
            Finding(Kind.SHARED_NAME, self.name, name, path, _share(len(paths), name))
            for name, paths in pairing.ambiguous.items()
            for path in paths
        ]
        return Listing(records, findings)


@dataclass(frozen=True)
class TableSource(Source):
    """A CSV file with the columns image and mask, and perhaps id, source, group, split and diagnosis.

    Paths are relative to the table's own folder. A store's `samples.csv` is such a table.

    Attributes:
        table: The file.
    """

    table: Path = Path()

    def read_metadata(self, metadata: Metadata) -> None:
        """Add what the rows say beside their two files."""
        for line, row in read_table(self.table):
            metadata.add(self._source(row), self._id(row), row, self.table, line)

    def list(self) -> Listing:
        """A record for each row; rows of one source that share an id are left out, because none is the right one."""
        by_id: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for line, row in read_table(self.table):
            if not row.get("image") or not row.get("mask"):
                raise BadFile(
                    self.table,
                    f"line {line} does not name an image and a mask",
                    hint="a source table has the columns image and mask, and perhaps id, group, split, diagnosis",
                )
            folder = self.table.parent
            record = Record(self._source(row), self._id(row), folder / row["image"], folder / row["mask"])
            by_id[record.source, record.id].append(record)
        return Listing(
            [records[0] for records in by_id.values() if len(records) == 1],
            [
                Finding(Kind.SHARED_NAME, record.source, record.id, record.image, _share(len(records), record.id))
                for records in by_id.values()
                if len(records) > 1
                for record in records
            ],
        )

    def _source(self, row: dict[str, str]) -> str:
        return row.get("source") or self.name

    @staticmethod
    def _id(row: dict[str, str]) -> str:
        return row.get("id") or image_id(Path(row.get("image", "")))


def _share(count: int, name: str) -> str:
    return f"{count} files share the id {name}"


def find_source(text: str, sets: Collection[str] = ()) -> Source:
    """The source that a person names: a folder, a CSV file, or a fetched set, `isic2018` or `isic2018:train`.

    Args:
        text: What is typed.
        sets: The names of sets that could be fetched.

    Raises:
        UsageError: There is none of that name.
    """
    path = Path(text)
    if path.is_dir():
        return FolderSource.at(path)
    if path.is_file():
        return TableSource(path.stem, table=path)
    name, _, part = text.partition(":")
    if part and part not in list(Split):
        otherwise = "write NAME:train, NAME:val or NAME:test"
        raise UsageError(
            f"'{part}' is no part of a set", hint=did_you_mean(part, Split, otherwise=otherwise, at_least=0.7)
        )
    folder = set_directory(name)
    if "/" in name or not folder.is_dir():
        if name in sets:
            hint = f"sets are fetched with: lesionctl fetch {name}"
        else:
            hint = did_you_mean(name, sets, otherwise="name a folder, a CSV file, or a set that was fetched")
        raise UsageError(f"there is no folder, table or fetched set '{text}'", hint)
    return FolderSource.at(folder, name, Split(part) if part else None)
