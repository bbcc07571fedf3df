"""`set.json`: what of a set lies unpacked in a folder, so that a fetch does what is missing and no more."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from lesionctl.atomic import write_text
from lesionctl.errors import BadFile
from lesionctl.fetch.catalog import FetchSet, Kind, Piece
from lesionctl.fetch.checksums import Digests

RECORD = "set.json"
"""Its name, in the folder of the set."""


@dataclass(frozen=True)
class Unpacked:
    """What was taken from one file of a set.

    Attributes:
        part: The split that it belongs to, or all.
        kinds: What was taken from it.
        images: How many pictures that were.
        masks: How many masks.
        source: The file, or the folder that it had been unpacked to.
        digests: What the file was known by; None: it could not be verified.
    """

    part: str
    kinds: frozenset[Kind]
    images: int
    masks: int
    source: str
    digests: Digests | None


@dataclass
class SetRecord:
    """What lies in the folder of a set.

    Attributes:
        directory: The folder.
        name: Of the set.
        files: What was unpacked, by the names of the files.
        drawn: For the demo: how many pictures, and with which seed.
    """

    directory: Path
    name: str
    files: dict[str, Unpacked] = field(default_factory=dict)
    drawn: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, directory: Path) -> Self | None:
        """The record of a folder; None: it has none.

        Where pictures were removed since, as clusters do with old files, nobody knows which: then nothing counts as
        being there.

        Raises:
            BadFile: It is no record.
        """
        path = directory / RECORD
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            files = {
                name: Unpacked(
                    part=values["part"],
                    kinds=frozenset(map(Kind, values["kinds"])),
                    images=values["images"],
                    masks=values["masks"],
                    source=values["source"],
                    digests=Digests(**values["digests"]) if values["digests"] else None,
                )
                for name, values in content["files"].items()
            }
            record = cls(directory, content["set"], files, content["drawn"])
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise BadFile(path, f"cannot be read ({error.strerror})") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadFile(path, f"is no record of a fetched set ({error!r})", hint=f"remove {directory}") from error
        if record._has_lost():
            record.files, record.drawn = {}, {}
        return record

    def text(self) -> str:
        """What the file holds."""
        files = {name: asdict(unpacked) | {"kinds": sorted(unpacked.kinds)} for name, unpacked in self.files.items()}
        return json.dumps({"set": self.name, "files": files, "drawn": self.drawn}, indent=2) + "\n"

    def write(self) -> None:
        """Save it.

        Raises:
            OSError: The disk is full, or the place cannot be written to.
        """
        write_text(self.directory / RECORD, self.text())

    def has(self, piece: Piece) -> bool:
        """Whether all that is wanted of a file lies there."""
        return not self.missing([piece])

    def missing(self, pieces: Iterable[Piece]) -> list[Piece]:
        """What of the pieces does not lie there."""
        left = []
        for piece in pieces:
            there = self.files[piece.file.name].kinds if piece.file.name in self.files else frozenset()
            if kinds := piece.kinds - there:
                left.append(Piece(piece.file, kinds))
        return left

    def add(self, name: str, unpacked: Unpacked) -> None:
        """Note what was taken from a file; it adds to what was taken from it before."""
        before = self.files.get(name)
        if before:
            unpacked = Unpacked(
                part=unpacked.part,
                kinds=before.kinds | unpacked.kinds,
                images=before.images + unpacked.images,
                masks=before.masks + unpacked.masks,
                source=unpacked.source,
                digests=unpacked.digests,
            )
        self.files[name] = unpacked

    def count(self, kind: Kind) -> int:
        """How many pictures, or masks, were put there."""
        return sum(_count(unpacked, kind) for unpacked in self.files.values()) + self.drawn.get("count", 0)

    def unexpected_counts(self, entry: FetchSet) -> Sequence[str]:
        """Where the number of pictures or masks of a whole part is not what was published, in words."""
        texts = []
        for part, published in entry.splits.items():
            for kind in (Kind.IMAGES, Kind.MASKS):
                names = [file.name for file in entry.files if file.part == part and kind in file.kinds]
                if names and all(name in self.files and kind in self.files[name].kinds for name in names):
                    found = sum(_count(self.files[name], kind) for name in names)
                    if found != published:
                        texts.append(f"{entry.name}:{part} has {found} {kind}, where {published} were published")
        return texts

    def _has_lost(self) -> bool:
        return any(self.count(kind) > _files_in(self.directory / kind) for kind in (Kind.IMAGES, Kind.MASKS))


def _count(unpacked: Unpacked, kind: Kind) -> int:
    return unpacked.images if kind is Kind.IMAGES else unpacked.masks


def _files_in(folder: Path) -> int:
    try:
        return sum(not path.name.startswith(".") for path in folder.iterdir())
    except FileNotFoundError:
        return 0
