"""Everything that the sources hold, each pair with what the metadata say of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lesionctl.errors import UsageError
from lesionctl.prepare.findings import Finding, Kind
from lesionctl.prepare.metadata import Metadata
from lesionctl.prepare.sources import Listing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lesionctl.prepare.metadata import Notes
    from lesionctl.prepare.sources import Record, Source


def list_records(sources: Sequence[Source], tables: Sequence[Path] = (), group_by: Sequence[str] = ()) -> Listing:
    """Everything that the sources hold, with what the metadata say of it.

    Args:
        sources: Where the pairs are; a picture may stand in several, its id keeps the copies together.
        tables: More tables of metadata; they come before those that lie with the sources.
        group_by: Columns of the metadata that keep pictures together; lesion_id, patient_id and group by default.

    Raises:
        UsageError: A folder is missing, a set holds nothing of the part that was asked for, two sources of one name
            hold the same picture, or no table has a column that was asked for.
        BadFile: A table cannot be read.
    """
    metadata = Metadata(group_by)
    for table in tables:
        metadata.read(table)
    for source in sources:
        source.read_metadata(metadata)
    metadata.check_columns()

    found = Listing()
    for source in sources:
        listing = source.list()
        found.findings += [
            finding
            for finding in listing.findings
            if source.only in (None, metadata.of(finding.source, finding.id).split)
        ]
        records = [_with_notes(record, metadata.of(record.source, record.id)) for record in listing.records]
        wanted = [record for record in records if source.only in (None, record.split)]
        if records and not wanted:
            raise UsageError(
                f"{source.name} holds no pictures with masks of its part '{source.only}'",
                hint=f"parts of sets are fetched with: lesionctl fetch {source.name}:{source.only}",
            )
        for record in wanted:
            strange = next((path for path in (record.image, record.mask) if not _is_utf8(path)), None)
            if strange is None:
                found.records.append(record)
            else:
                reason = "its name is not in UTF-8, which tables need: rename it"
                found.findings.append(Finding(Kind.UNUSABLE, record.source, record.id, strange, reason))
    _refuse_doubles(found.records)
    return found


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:  # names on Linux may be any bytes
        return False
    return True


def _with_notes(record: Record, notes: Notes) -> Record:
    keys = frozenset({f"id={record.id}", *notes.keys})
    return replace(record, keys=keys, split=notes.split, diagnosis=notes.diagnosis)


def _refuse_doubles(records: Sequence[Record]) -> None:
    """Refuse two sources of one name, which may be two parts of a set, where they hold the same picture.

    Raises:
        UsageError: There are such sources.
    """
    seen: set[tuple[str, str]] = set()
    for record in records:
        if (record.source, record.id) in seen:
            raise UsageError(
                f"two sources have the same name, {record.source}, and both hold {record.id}",
                hint="name each source once; rename one of the folders",
            )
        seen.add((record.source, record.id))
