"""How far sides are apart, with what is certain about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lesionctl.plots.figure import COLOURS, INK, new_figure, shown_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

_ROW = 0.52  # inches

_ABOVE: dict[str, Any] = {
    "xycoords": ("axes fraction", "data"), "xytext": (0, 9), "textcoords": "offset points", "annotation_clip": False
}  # fmt: skip


def difference_plot(
    labels: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[tuple[float, float] | None],
    label: str = "difference, with its 95 % interval",
) -> Figure:
    """Draw paired differences of one figure as intervals about zero, the first at the top.

    A tie, an interval that holds zero, is called that and drawn thinner and without colour.

    Args:
        labels: What is compared, one row each, at least one.
        values: The differences, all in the figure's unit.
        intervals: Low and high end of each, or None where there is none.
        label: The figure, with its unit.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    with new_figure(0.75 + _ROW * len(labels)) as (figure, (axes,)):
        for row, (name, value, interval) in enumerate(zip(labels, values, intervals, strict=True)):
            axes.plot([0, 0], [row - 0.2, row + 0.3], color=INK, linewidth=1.2)  # not through the labels
            tie = interval is not None and interval[0] <= 0 <= interval[1]
            colour = INK if tie else COLOURS[0]
            if interval is not None:
                axes.plot(interval, [row, row], color=colour, linewidth=1.4 if tie else 2.6, solid_capstyle="butt")
            axes.plot([value], [row], linestyle="", marker="o", markersize=5.5 if tie else 7.5, color=colour)
            told = f"{value:+.3g}".replace("-", "−") + (" · a tie" if tie else "")
            axes.annotate(shown_name(name, 38), (0, row), ha="left", **_ABOVE)
            axes.annotate(told, (1, row), ha="right", **_ABOVE)
        axes.set_ylim(len(labels) - 0.55, -0.85)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=5)
        axes.margins(x=0.08)
        axes.set_xlabel(label)
    return figure
