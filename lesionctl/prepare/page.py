"""`audit.html`: what the audit found, with thumbnails, on one page that needs no other file."""

from __future__ import annotations

import base64
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader

from lesionctl.atomic import escape_undecodable, write_text
from lesionctl.prepare.findings import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lesionctl.dataset.row_file import RowReader
    from lesionctl.dataset.samples import Sample
    from lesionctl.imaging.arrays import Image, Mask

_SHOWN = 60  # findings of each kind that have a thumbnail; audit.csv has them all
_SIDE = 144  # pixels
_OUTLINE = (0, 220, 90)  # RGB: a colour that no skin has


def write_page(
    path: Path,
    title: str,
    findings: Sequence[Finding],
    samples: Sequence[Sample],
    images: RowReader | NDArray[np.uint8],
    masks: RowReader | NDArray[np.bool_],
) -> None:
    """Write the page.

    Args:
        path: Of the file.
        title: What the set is called.
        findings: All of them.
        samples: What was kept.
        images: uint8 `[N, size, size, 3]`, of each sample.
        masks: bool `[N, size, size]`, of each sample.

    Raises:
        OSError: The file cannot be written.
    """
    rows = {(sample.source, sample.id): row for row, sample in enumerate(samples)}
    by_id = {sample.id: row for row, sample in enumerate(samples)}
    by_kind: dict[Kind, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_kind[finding.kind].append(finding)

    def picture(row: int | None) -> str | None:
        return None if row is None else thumbnail(images[row], masks[row])

    sections: list[dict[str, Any]] = [
        {
            "kind": kind,
            "count": len(by_kind[kind]),
            "entries": [
                {
                    "finding": finding,
                    "picture": picture(rows.get((finding.source, finding.id))),
                    "other": picture(by_id.get(finding.other)) if kind is Kind.NEAR_DUPLICATE else None,
                }
                for finding in by_kind[kind][:_SHOWN]
            ],
        }
        for kind in Kind
        if by_kind[kind]
    ]
    environment = Environment(loader=PackageLoader("lesionctl.prepare", "templates"), autoescape=True)
    template = environment.get_template("audit.html.jinja")
    page = template.render(title=title, pictures=len(samples), sections=sections, shown=_SHOWN)
    write_text(path, escape_undecodable(page))


def thumbnail(image: Image, mask: Mask) -> str:
    """A small JPEG of the picture with the lesion's outline, as a data URI.

    Args:
        image: uint8 `[size, size, 3]`.
        mask: bool `[size, size]`.
    """
    small = cv2.resize(np.asarray(image), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    covered = cv2.resize(np.asarray(mask).view(np.uint8), (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(covered, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(small, contours, -1, _OUTLINE, 1)
    _, content = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])
    return "data:image/jpeg;base64," + base64.b64encode(content.tobytes()).decode()
