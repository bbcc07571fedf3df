"""`metrics.csv`: a row for each epoch."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from lesionctl.atomic import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lesionctl.train.record.rows import Row


def write_metrics(path: Path, history: Sequence[Row]) -> None:
    """Write every epoch so far; a figure that an epoch lacks is left empty.

    Args:
        path: The file.
        history: One row for each epoch; a column stands where it first came up.
    """
    columns = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_text(path, text.getvalue())
