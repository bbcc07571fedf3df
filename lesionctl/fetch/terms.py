"""The terms that a set comes under, written beside it."""

from __future__ import annotations

from pathlib import Path

from lesionctl.atomic import write_text
from lesionctl.fetch.catalog import FetchSet


def terms_of(entry: FetchSet) -> dict[str, str]:
    """The files that tell them, by name."""
    terms = f"\n{entry.terms}" if entry.terms else ""
    texts = {"LICENCE.txt": f"{entry.title}\n\nLicence: {entry.licence}{terms}\nAttribution: {entry.attribution}\n"}
    if entry.citation:
        texts["CITATION.txt"] = f"{entry.citation}\n"
    return texts


def write_terms(directory: Path, entry: FetchSet) -> None:
    """Write them into the folder of the set.

    Raises:
        OSError: The disk is full, or the place cannot be written to.
    """
    for name, text in terms_of(entry).items():
        write_text(directory / name, text)
