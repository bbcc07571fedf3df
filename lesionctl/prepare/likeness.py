"""Pictures that belong together: by their ids, by the metadata, by content, and by how they look."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.prepare.findings import Finding, Kind
from lesionctl.prepare.near_duplicates import find_near_duplicates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.dataset.row_file import RowReader
    from lesionctl.prepare.audit import Examination
    from lesionctl.prepare.sources import Record
    from lesionctl.progress import Progress

_KIND_OF_KEY = {
    "id": Kind.SAME_ID,
    "sha256": Kind.SAME_CONTENT,
    "lesion_id": Kind.SAME_LESION,
    "patient_id": Kind.SAME_PATIENT,
}


@dataclass
class Likeness:
    """What belongs together.

    Attributes:
        keys: For each picture, what it shares with others; pictures with a common key belong together.
        findings: Each picture that shares something with another.
    """

    keys: list[set[str]]
    findings: list[Finding] = field(default_factory=list)


def find_likeness(
    records: Sequence[Record], examined: Sequence[Examination], images: RowReader, progress: Progress
) -> Likeness:
    """Find the pictures that must not be parted by a split.

    Args:
        records: The pictures.
        examined: What is known of each.
        images: Rows of uint8 `[size, size, 3]`, as stored.
        progress: Who listens.
    """
    keys = [{*record.keys, f"sha256={found.sha256}"} for record, found in zip(records, examined, strict=True)]
    found = Likeness(keys)
    rows_by_key: dict[str, list[int]] = defaultdict(list)
    for row, own in enumerate(keys):
        for key in own:
            rows_by_key[key].append(row)
    for key, rows in sorted(rows_by_key.items()):
        if len(rows) > 1:
            found.findings += _shared(key, rows, records, examined)

    hashes = np.stack([entry.perceptual_hash for entry in examined])
    for pair in find_near_duplicates(hashes, images, progress):
        first, second = records[pair.first], records[pair.second]
        if not keys[pair.first].isdisjoint(keys[pair.second]):
            continue  # known to belong together
        found.findings.append(
            Finding(
                Kind.NEAR_DUPLICATE,
                second.source,
                second.id,
                second.image,
                f"looks like {first.id} of {first.source}: similarity {pair.similarity:.3f}",
                first.id,
            )
        )
        for row in (pair.first, pair.second):
            keys[row] |= {f"near={first.id}", f"near={second.id}"}
    return found


def _shared(key: str, rows: list[int], records: Sequence[Record], examined: Sequence[Examination]) -> list[Finding]:
    """A finding for each picture that has a key in common with others."""
    kind = _KIND_OF_KEY.get(key.partition("=")[0], Kind.SAME_GROUP)
    detail = f"{len(rows)} pictures share {key if kind is not Kind.SAME_CONTENT else 'their content'}"
    if kind is Kind.SAME_CONTENT and len({examined[row].mask_sha256 for row in rows}) > 1:
        detail += ", but not their masks"
    first = records[rows[0]].id
    return [
        Finding(kind, records[row].source, records[row].id, records[row].image, detail, first if row != rows[0] else "")
        for row in rows
    ]
