"""What can be fetched, and what of it is here."""

from __future__ import annotations

from typing import Any

from lesionctl.errors import BadFile
from lesionctl.fetch.cache import Cache
from lesionctl.fetch.catalog import DEMO, FetchSet
from lesionctl.fetch.record import SetRecord
from lesionctl.paths import downloads_directory, set_directory


def cached_parts(entry: FetchSet) -> dict[str, str]:
    """How far each part of a set has come into the cache.

    Returns:
        For each of its parts of which anything is here: `unpacked`, `downloaded` or `partly`. Nothing is verified.
    """
    cache = Cache(downloads_directory())
    try:
        record = SetRecord.read(set_directory(entry.name))
    except BadFile:
        record = None
    if entry.name == DEMO:
        return {"all": "unpacked"} if record and record.drawn else {}
    parts = {}
    for part in entry.parts:
        pieces = entry.select([part])
        unpacked = [record is not None and record.has(piece) for piece in pieces]
        here = [
            is_unpacked or cache.path(piece.file).is_file() for piece, is_unpacked in zip(pieces, unpacked, strict=True)
        ]
        if any(here):
            parts[part] = "unpacked" if all(unpacked) else "downloaded" if all(here) else "partly"
    return parts


def describe(entry: FetchSet) -> dict[str, Any]:
    """All that is known of a set and of what is here of it, in JSON's forms."""
    cache = Cache(downloads_directory())
    directory = set_directory(entry.name)
    return entry.to_dict() | {
        "directory": str(directory) if cached_parts(entry) and directory.is_dir() else None,
        "cached": cached_parts(entry),
        "files": [file.to_dict() | {"cached": cache.path(file).is_file()} for file in entry.files],
    }
