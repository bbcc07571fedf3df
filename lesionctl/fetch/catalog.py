"""What can be fetched: one table, `catalog.toml`, and other tables of the same form."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from lesionctl.citations import load_citations
from lesionctl.errors import BadFile, UsageError, did_you_mean

BUNDLED_CATALOG = Path(__file__).parent / "catalog.toml"
"""The table that comes with the program."""

DEMO = "demo"
"""The set that is drawn here and has no files to fetch; every catalog has it."""

WHOLE = "all"
"""The part of a set that has no official splits."""

PARTS = ("train", "val", "test", WHOLE)

_HEX_DIGITS = {"md5": 32, "sha256": 64}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) (KB|MB|GB)")
_UNITS = {"KB": 1024, "MB": 1024**2, "GB": 1024**3}
_WITHOUT_MASKS = ("isic2019", "isic2020", "isic2024")


class Kind(StrEnum):
    """What a file brings to a set."""

    IMAGES = "images"
    MASKS = "masks"
    METADATA = "metadata"


_KINDS = {
    "images": frozenset({Kind.IMAGES}),
    "masks": frozenset({Kind.MASKS}),
    "both": frozenset({Kind.IMAGES, Kind.MASKS}),
    "metadata": frozenset({Kind.METADATA}),
}


@dataclass(frozen=True)
class RemoteFile:
    """A file of a set, as its owners offer it.

    Attributes:
        name: What it is called in the cache; unique in a catalog.
        addresses: Where it is, in the order in which they are tried.
        part: The split that it belongs to: train, val or test; or all.
        kinds: What it brings.
        size: Bytes; None: unknown until a server is asked.
        exact: Whether the size is exact; otherwise it is what a page publishes, rounded.
        checksums: In hex, by algorithm: md5 and sha256, or one, or none.
        patterns: Which members of an archive bring what; where there is none for a kind, every picture does.
    """

    name: str
    addresses: tuple[str, ...]
    part: str
    kinds: frozenset[Kind]
    size: int | None = None
    exact: bool = False
    checksums: Mapping[str, str] = field(default_factory=dict)
    patterns: Mapping[Kind, str] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """Its name without the ending of an archive."""
        return re.sub(r"(\.tar)?\.[A-Za-z0-9]+$", "", self.name)

    def to_dict(self) -> dict[str, Any]:
        """What a person may want to know of it, in JSON's forms."""
        return {
            "name": self.name,
            "part": self.part,
            "holds": sorted(self.kinds),
            "size": self.size,
            "size_is_exact": self.exact,
            **{name: self.checksums.get(name) for name in _HEX_DIGITS},
            "addresses": list(self.addresses),
        }


@dataclass(frozen=True)
class Piece:
    """A file, and what is wanted of it."""

    file: RemoteFile
    kinds: frozenset[Kind]


@dataclass(frozen=True)
class FetchSet:
    """A set of pictures with masks.

    Attributes:
        name: What it is called on the command line.
        title: What its owners call it.
        contents: What it holds, in a few words.
        licence: Under what terms its pictures can be used, in short.
        terms: What that does not say; may be empty.
        attribution: Whom to name.
        citation: The papers to cite, one a line; may be empty.
        splits: Pictures in each official split, or in `all`; empty for the demo, which has as many as are asked for.
        files: What is fetched.
    """

    name: str
    title: str
    contents: str
    licence: str
    terms: str
    attribution: str
    citation: str
    splits: Mapping[str, int]
    files: tuple[RemoteFile, ...]

    @property
    def parts(self) -> list[str]:
        """The parts that can be fetched one by one: its splits."""
        return [part for part in PARTS if any(file.part == part for file in self.files)]

    @property
    def has_splits(self) -> bool:
        """Whether it has official splits."""
        return bool(self.parts) and WHOLE not in self.parts

    @property
    def size(self) -> int | None:
        """Bytes of all files together; None where one is unknown."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(filter(None, sizes))

    def select(self, parts: Iterable[str] = (), *, masks_only: bool = False) -> list[Piece]:
        """The files to fetch, and what is wanted of each.

        Args:
            parts: Its splits; none: all of them.
            masks_only: Leave the pictures out.

        Raises:
            UsageError: It has no such part.
        """
        wanted = set(parts) or set(self.parts)
        for part in wanted - set(self.parts):
            known = f"its parts are {', '.join(self.parts)}" if self.has_splits else "it has no official splits"
            raise UsageError(f"{self.name} has no part '{part}'", hint=known)
        left_out = {Kind.IMAGES} if masks_only else set()
        pieces = [Piece(file, file.kinds - left_out) for file in self.files if file.part in wanted]
        return [piece for piece in pieces if piece.kinds]

    def to_dict(self) -> dict[str, Any]:
        """What a person may want to know of it, in JSON's forms."""
        return {
            "name": self.name,
            "title": self.title,
            "contents": self.contents,
            "licence": self.licence,
            "terms": self.terms,
            "attribution": self.attribution,
            "citation": self.citation,
            "pictures": dict(self.splits),
            "size": self.size,
        }


Catalog = Mapping[str, FetchSet]
"""Sets by name."""


def load_catalog(path: Path = BUNDLED_CATALOG) -> Catalog:
    """Read a table of sets; the demo is in every one.

    Raises:
        BadFile: The file cannot be read, or says something that makes no sense.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadFile(path, f"is no TOML file ({error})") from error
    sets = {}
    for name, table in tables.items():
        try:
            sets[name] = _read_set(name, table)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            raise BadFile(path, f"the set '{name}' {what}", hint=f"the form is that of {BUNDLED_CATALOG}") from error
    twice = [
        name
        for name, count in Counter(file.name for entry in sets.values() for file in entry.files).items()
        if count > 1
    ]
    if twice:
        raise BadFile(path, f"two files are called {twice[0]}")
    if DEMO not in sets:
        sets[DEMO] = load_catalog()[DEMO]
    return sets


def find_set(catalog: Catalog, name: str) -> FetchSet:
    """The set of that name.

    Raises:
        UsageError: There is none.
    """
    if name in catalog:
        return catalog[name]
    if name in _WITHOUT_MASKS:
        raise UsageError(f"{name} cannot be fetched: nobody has published lesion masks for it")
    raise UsageError(f"there is no set named '{name}'", hint=did_you_mean(name, catalog))


def _read_set(name: str, table: dict[str, Any]) -> FetchSet:
    """A set from its table.

    Raises:
        KeyError: Something is missing.
        ValueError: Something makes no sense.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise ValueError("has a name that is not of small letters, digits, - and _")
    texts = {key: " ".join(table[key].split()) for key in ("title", "contents", "licence", "attribution")}
    files = tuple(_read_file(file, table.get("bases", [])) for file in table.get("files", []))
    if not files and name != DEMO:
        raise ValueError("has no files")
    splits = dict(table["splits"])
    if set(splits) != {file.part for file in files}:
        raise ValueError(f"has files of the parts {sorted({file.part for file in files})}, but splits {sorted(splits)}")
    citation = _read_citation(table)
    return FetchSet(name=name, **texts, terms=table.get("terms", ""), citation=citation, splits=splits, files=files)


def _read_citation(table: dict[str, Any]) -> str:
    """The papers to cite, one a line.

    Raises:
        KeyError: It names none, nor says that there are none.
        ValueError: It names one that is unknown.
    """
    if "citations" not in table:
        return str(table["citation"].strip())
    known = load_citations()
    for key in table["citations"]:
        if key not in known:
            raise ValueError(f"cites '{key}', which citations.toml does not have")
    return "\n".join(known[key].text for key in table["citations"])


def _read_file(table: dict[str, Any], bases: list[str]) -> RemoteFile:
    """A file from its table.

    Raises:
        KeyError: Something is missing.
        ValueError: Something makes no sense.
    """
    name = table["name"]
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", name):
        raise ValueError(f"has a file named '{name}', which is no plain name")
    addresses = tuple(table.get("addresses") or [base.rstrip("/") + "/" + name for base in bases])
    if not addresses or not all(re.match(r"https?://[^/]", address) for address in addresses):
        raise ValueError(f"has no addresses of the form https://… for {name}")
    checksums = {kind: table[kind].lower() for kind in _HEX_DIGITS if kind in table}
    for kind, digest in checksums.items():
        if not re.fullmatch(rf"[0-9a-f]{{{_HEX_DIGITS[kind]}}}", digest):
            raise ValueError(f"has {kind} '{digest}' for {name}, which is not {_HEX_DIGITS[kind]} hex digits")
    if table["part"] not in PARTS:
        raise ValueError(f"has part '{table['part']}' for {name}, which is none of {', '.join(PARTS)}")
    if table["holds"] not in _KINDS:
        raise ValueError(f"has holds '{table['holds']}' for {name}, which is none of {', '.join(_KINDS)}")
    if table["holds"] == "metadata" and not name.endswith(".csv"):
        raise ValueError(f"has metadata in {name}, which is no .csv file")
    patterns = {kind: table[kind.value] for kind in (Kind.IMAGES, Kind.MASKS) if kind.value in table}
    if table["holds"] == "both" and len(patterns) < 2:
        raise ValueError(f"needs the patterns images and masks for {name}, which holds both")
    size, exact = _read_size(table.get("size"), name)
    return RemoteFile(name, addresses, table["part"], _KINDS[table["holds"]], size, exact, checksums, patterns)


def _read_size(size: int | str | None, name: str) -> tuple[int | None, bool]:
    """Bytes, and whether they are exact: `5.8 GB` is not.

    Raises:
        ValueError: It is no size.
    """
    if size is None or (isinstance(size, int) and size > 0):
        return size, size is not None
    parts = _SIZE.fullmatch(str(size))
    if not parts:
        raise ValueError(f"has size '{size}' for {name}, which is no number of bytes and not of the form 5.8 GB")
    return round(float(parts[1]) * _UNITS[parts[2]]), False
