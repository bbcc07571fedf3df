"""`curves.png`: how a run went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionctl.atomic import write_bytes
from lesionctl.plots.curves import training_curves
from lesionctl.plots.figure import to_png

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lesionctl.train.record.rows import Row


def write_curves(path: Path, history: Sequence[Row], loss: str) -> None:
    """Draw the training loss, the validation figures, the rate and the speed against the epoch.

    Args:
        path: The file, 1320 × 880 pixels.
        history: One row for each epoch, at least one.
        loss: What the loss is called.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    write_bytes(path, to_png(training_curves(history, loss, columns=2)))
