"""What the audit finds, one by one: rows of `audit.csv`, lines of the summary."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lesionctl.atomic import escape_undecodable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Kind(StrEnum):
    """The kinds of findings: first what is left out, then what is kept together, then what is worth a look."""

    UNUSABLE = "unusable"
    PICTURE_WITHOUT_MASK = "picture-without-mask"
    MASK_WITHOUT_PICTURE = "mask-without-picture"
    SHARED_NAME = "shared-name"
    SIZE_MISMATCH = "size-mismatch"
    OVERLAP = "overlap"

    SAME_ID = "same-id"
    SAME_CONTENT = "same-content"
    NEAR_DUPLICATE = "near-duplicate"
    SAME_LESION = "same-lesion"
    SAME_PATIENT = "same-patient"
    SAME_GROUP = "same-group"

    EMPTY_MASK = "empty-mask"
    FULL_MASK = "full-mask"
    TOUCHES_BORDER = "touches-border"
    SEVERAL_COMPONENTS = "several-components"
    HOLES = "holes"

    @property
    def consequence(self) -> str:
        """What becomes of the pictures that it is found in."""
        if self in _LEFT_OUT:
            return "left out"
        return "kept in one split" if self in _TOGETHER else "noted"

    @property
    def is_failure(self) -> bool:
        """Whether it says that a file cannot be used; an overlap is left out on purpose."""
        return self in _LEFT_OUT and self is not Kind.OVERLAP


_KINDS = list(Kind)
_LEFT_OUT = frozenset(_KINDS[: _KINDS.index(Kind.SAME_ID)])
_TOGETHER = frozenset(_KINDS[_KINDS.index(Kind.SAME_ID) : _KINDS.index(Kind.EMPTY_MASK)])


@dataclass(frozen=True)
class Finding:
    """One thing that the audit found in one file.

    Attributes:
        kind: What it is.
        source: The source of the picture.
        id: The picture's id.
        path: The file that it was found in.
        detail: More of it, in words.
        other: The id of the other picture, where it is about two.
    """

    kind: Kind
    source: str
    id: str
    path: Path
    detail: str = ""
    other: str = ""


_COLUMNS = ("finding", "consequence", "source", "id", "path", "detail", "other")


def format_findings(findings: Iterable[Finding]) -> str:
    """The text of an `audit.csv`: a header, and a row for each finding."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for finding in findings:
        writer.writerow(
            [
                finding.kind,
                finding.kind.consequence,
                finding.source,
                finding.id,
                finding.path,
                finding.detail,
                finding.other,
            ]
        )
    return escape_undecodable(text.getvalue())


def count_findings(findings: Iterable[Finding]) -> dict[Kind, int]:
    """How many there are of each kind that was found, in the order of the kinds."""
    counts = Counter(finding.kind for finding in findings)
    return {kind: counts[kind] for kind in Kind if counts[kind]}
