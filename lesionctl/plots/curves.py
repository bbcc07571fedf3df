"""How a training went."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from lesionctl.plots.figure import INK, WIDTH, line, new_figure
from lesionctl.plots.thinning import MOST_POINTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FIGURES = {"val_dice": "Dice", "val_jaccard": "Jaccard", "val_thresholded_jaccard": "thresholded Jaccard"}


class _Panel(NamedTuple):
    title: str
    lines: dict[str, str]  # what each column is called
    from_zero: bool = False


def training_curves(history: Sequence[Mapping[str, float]], loss: str, *, columns: int = 1) -> Figure:
    """Draw the training loss, the validation figures, the rate and the speed against the epoch.

    A dashed line marks the epoch with the highest validation Dice.

    Args:
        history: One row for each epoch, at least one: `epoch`, and what is known of `loss`, `val_dice`, `val_jaccard`,
            `val_thresholded_jaccard`, `lr` and `images_per_second`. What lacks, or is NaN, is a gap.
        loss: What the loss is called.
        columns: 1 has the four panels below one another, readable on a phone; 2 is for a wide screen.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    panels = (
        _Panel(f"training loss: {loss}", {"loss": "loss"}),
        _Panel("validation, per-image mean", _FIGURES),
        _Panel("learning rate", {"lr": "rate"}),
        # From zero: else the noise of the clock looks like news.
        _Panel("training images per second", {"images_per_second": "speed"}, from_zero=True),
    )
    judged = [row for row in history if not math.isnan(row.get("val_dice", math.nan))]
    best = max(judged, key=lambda row: row["val_dice"])["epoch"] if judged else None
    rows = [*history[: -1 : math.ceil(len(history) / MOST_POINTS)], history[-1]]
    width, height = (WIDTH, 7.4) if columns == 1 else (1.65 * WIDTH, 5.5)
    with new_figure(height, width=width, heights=(1, 1.25, 1, 1) if columns == 1 else (1, 1), columns=columns) as (
        figure,
        all_axes,
    ):
        for axes, panel in zip(all_axes, panels, strict=True):
            _draw(axes, rows, panel)
            if best is not None:
                mark = axes.axvline(best, color=INK, linestyle="--", linewidth=1, alpha=0.6, zorder=1)
                mark.set_label(f"best Dice: epoch {best:.0f}")
            if len(panel.lines) > 1:
                axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=2, columnspacing=1.2)
                axes.set_title(panel.title, pad=36)  # above the two lines of the legend
        for axes in all_axes[-columns:]:
            axes.set_xlabel("epoch")
    return figure


def _draw(axes: Axes, rows: Sequence[Mapping[str, float]], panel: _Panel) -> None:
    epochs = [row["epoch"] for row in rows]
    for side, (column, label) in enumerate(panel.lines.items()):
        style = line(side).options
        if len(rows) > 60:
            style["marker"] = ""
        values = [row.get(column, math.nan) for row in rows]
        axes.plot(epochs, values, label=label, markersize=3.5, **style)
    axes.set_title(panel.title)
    axes.locator_params(axis="x", nbins=6, integer=True)
    axes.locator_params(axis="y", nbins=4)
    room = 0.03 * (epochs[-1] - epochs[0]) or 0.5
    axes.set_xlim(epochs[0] - room, epochs[-1] + room)
    if panel.from_zero:
        axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
