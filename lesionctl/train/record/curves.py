"""`curves.png`: how a run went."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, NamedTuple

from lesionctl.atomic import write_bytes
from lesionctl.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lesionctl.train.record.rows import Row

_INK, _GREY = "#333333", "#888888"
_COLOURS = ("#0072b2", "#d55e00", "#009e73")  # told apart by colour-blind readers too (Okabe and Ito)

_FIGURES = {"val_dice": "Dice", "val_jaccard": "Jaccard", "val_thresholded_jaccard": "thresholded Jaccard"}


class _Panel(NamedTuple):
    title: str
    lines: dict[str, str]  # what each column is called
    from_zero: bool = False


def write_curves(path: Path, history: Sequence[Row], loss: str) -> None:
    """Draw the training loss, the validation figures, the rate and the speed against the epoch.

    A dashed line marks the epoch with the highest validation Dice.

    Args:
        path: The file, 1320 × 880 pixels.
        history: One row for each epoch.
        loss: What the loss is called.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise MissingExtra("matplotlib", "plot", "drawing curves.png") from error
    panels = (
        _Panel(f"training loss: {loss}", {"loss": "loss"}),
        _Panel("validation, per-image mean", _FIGURES),
        _Panel("learning rate", {"lr": "rate"}),
        # From zero: else the noise of the clock looks like news.
        _Panel("training images per second", {"images_per_second": "speed"}, from_zero=True),
    )
    epochs = [row["epoch"] for row in history]
    best = max(history, key=lambda row: row["val_dice"])
    figure = Figure(figsize=(12, 8), layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.12))
    FigureCanvasAgg(figure)
    for axes, panel in zip(figure.subplots(2, 2).flat, panels, strict=True):
        marker = "o" if len(epochs) <= 60 else ""
        for (name, label), colour in zip(panel.lines.items(), _COLOURS, strict=False):
            values = [row.get(name, math.nan) for row in history]
            axes.plot(epochs, values, color=colour, marker=marker, markersize=3.5, linewidth=1.6, label=label)
        axes.axvline(best["epoch"], color=_GREY, linestyle="--", linewidth=1, zorder=0)
        axes.set_title(panel.title, loc="left", color=_INK, fontsize=12)
        axes.set_xlabel("epoch", color=_INK)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.03)
        if panel.from_zero:
            axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
        if len(panel.lines) > 1:
            axes.plot([], [], color=_GREY, linestyle="--", linewidth=1, label=f"best Dice: epoch {best['epoch']:.0f}")
            axes.legend(frameon=False, fontsize=9)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110)
    write_bytes(path, image.getvalue())
