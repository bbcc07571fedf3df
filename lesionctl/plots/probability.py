"""How well probabilities tell lesion from skin, and whether they can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lesionctl.plots.figure import INK, add_legend, line, new_figure, shown_name
from lesionctl.plots.thinning import thin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Curve = tuple[NDArray[np.float64], NDArray[np.float64]]

_HEIGHT, _LINE_OF_LEGEND = 4.7, 0.21  # inches

_BESIDE: dict[str, Any] = {
    "xytext": (5, 0), "textcoords": "offset points", "va": "center", "annotation_clip": False
}  # fmt: skip
_TICKS = (0, 0.2, 0.4, 0.6, 0.8, 1)
_UNIT_SQUARE: dict[str, Any] = {
    "xlim": (0, 1), "ylim": (0, 1), "xticks": _TICKS, "yticks": _TICKS,
    "xticklabels": [f"{tick:g}" for tick in _TICKS], "yticklabels": [f"{tick:g}" for tick in _TICKS],
}  # fmt: skip
_CORNER = 0.1  # where the lines of all useful segmenters lie


class Reliability(Protocol):
    """Pixels in bins of equal width of their probability of lesion."""

    @property
    def mean_probability(self) -> NDArray[Any]:
        """Of the pixels of each bin [bins], in [0, 1]; NaN where there are none."""

    @property
    def observed(self) -> NDArray[Any]:
        """The share of them that is lesion [bins], in [0, 1]; NaN where there are none."""

    @property
    def pixels(self) -> NDArray[Any]:
        """How many they are [bins]."""


def roc_plot(curves: Mapping[str, Curve]) -> Figure:
    """Draw the true positive rate against the false positive rate of pixels.

    Where a line runs through the upper left corner, that is drawn again, enlarged; else the diagonal of chance is.

    Args:
        curves: By side, at least one: the false and the true positive rates [n], in [0, 1], from (0, 0) to (1, 1).

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    with new_figure(_HEIGHT + _LINE_OF_LEGEND * len(curves)) as (figure, (axes,)):
        _draw(figure, axes, curves)
        if any(np.interp(_CORNER, fpr, tpr) > 1 - _CORNER / 2 for fpr, tpr in curves.values()):
            _enlarge_corner(axes, curves)
        else:
            axes.plot([0, 1], [0, 1], color=INK, linewidth=0.9, linestyle=(0, (1, 2)))
            axes.annotate("chance", (0.5, 0.5), (4, -4), textcoords="offset points", va="top", alpha=0.8)
        axes.set_xlabel("false positive rate (1 − specificity)")
        axes.set_ylabel("true positive rate (recall)")
    return figure


def precision_recall_plot(curves: Mapping[str, Curve]) -> Figure:
    """Draw the precision against the recall of pixels, with faint lines of equal Dice behind.

    Args:
        curves: By side, at least one: the recalls and the precisions [n], in [0, 1].

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    with new_figure(_HEIGHT + _LINE_OF_LEGEND * len(curves)) as (figure, (axes,)):
        axes.grid(visible=False)
        for dice in (0.5, 0.6, 0.7, 0.8, 0.9):
            one_over_recall = np.linspace(1, 2 / dice - 1, 50)
            recall, precision = 1 / one_over_recall, 1 / (2 / dice - one_over_recall)  # Dice is their harmonic mean
            axes.plot(recall, precision, color=INK, linewidth=0.8, alpha=0.3)
            axes.annotate(f"{dice:g}", (1, precision[0]), **_BESIDE, fontsize=9.5, alpha=0.8)
        axes.annotate("Dice", (1, 1), **_BESIDE)
        # In steps, as the area that is told of it is summed: a straight line would promise what no threshold gives.
        _draw(figure, axes, curves, drawstyle="steps-pre")
        axes.set_xlabel("recall (sensitivity)")
        axes.set_ylabel("precision")
    return figure


def reliability_plot(sides: Mapping[str, Reliability]) -> Figure:
    """Draw the share of lesion among the pixels of each bin against their mean probability, and how many they are.

    On the diagonal a probability means what it says; below it the side claims more lesion than there is.

    Args:
        sides: The bins of each side, at least one; bins without pixels are left out.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    height = _HEIGHT + 0.9 + _LINE_OF_LEGEND * len(sides)
    with new_figure(height, heights=(4.4, 1)) as (figure, (axes, strip)):
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.9, linestyle=(0, (1, 2)))
        handles = []
        for number, reliability in enumerate(sides.values()):
            style = line(number)
            mean, observed, pixels = (
                np.asarray(values, np.float64)
                for values in (reliability.mean_probability, reliability.observed, reliability.pixels)
            )
            full = pixels > 0
            handles += axes.plot(mean[full], observed[full], clip_on=False, **style.options)
            width = 0.86 / len(pixels) / len(sides)
            left = np.arange(len(pixels)) / len(pixels) + 0.07 / len(pixels) + number * width
            strip.bar(left[full], pixels[full], width, align="edge", color=style.colour, alpha=0.45, linewidth=0)
        axes.set(**_UNIT_SQUARE)
        axes.tick_params(labelbottom=False)
        axes.set_ylabel("share that is lesion")
        most = max(np.max(reliability.pixels) for reliability in sides.values())
        counts = {1: "1", 1e3: "1 k", 1e6: "1 M", 1e9: "1 G", 1e12: "1 T"}
        counts = {count: text for count, text in counts.items() if count <= 3 * most}
        strip.set(
            yscale="log", ylim=(0.6, 3 * most), xlim=(0, 1), xticks=_TICKS, xticklabels=_UNIT_SQUARE["xticklabels"]
        )
        strip.set_yticks(list(counts), list(counts.values()), minor=False)
        strip.minorticks_off()
        strip.set_ylabel("pixels")
        strip.set_xlabel("probability of lesion (mean of the bin)")
        figure.align_ylabels([axes, strip])
        add_legend(figure, handles, [shown_name(name) for name in sides])
    return figure


def _draw(figure: Figure, axes: Axes, curves: Mapping[str, Curve], drawstyle: str = "default") -> None:
    handles = []
    for number, (x, y) in enumerate(curves.values()):
        # Markers at even distances, those of each side elsewhere.
        handles += axes.plot(
            *thin(x, y),
            markevery=(0.05 + 0.04 * (number % 5), 0.2),
            clip_on=False,
            drawstyle=drawstyle,
            **line(number).options,
        )
    axes.set(**_UNIT_SQUARE, aspect="equal")
    add_legend(figure, handles, [shown_name(name) for name in curves])


def _enlarge_corner(axes: Axes, curves: Mapping[str, Curve]) -> None:
    corner = axes.inset_axes((0.36, 0.1, 0.58, 0.58), xlim=(0, _CORNER), ylim=(1 - _CORNER, 1))
    for number, (x, y) in enumerate(curves.values()):
        near = slice(max(np.searchsorted(y, 1 - _CORNER) - 1, 0), np.searchsorted(x, _CORNER, side="right") + 1)
        options = line(number).options | {"markevery": (0.1 + 0.08 * (number % 5), 0.4)}
        corner.plot(*thin(x[near], y[near]), **options)
    ticks = np.linspace(0, _CORNER, 3)
    corner.set(xticks=ticks, yticks=1 - ticks)
    for axis in (corner.xaxis, corner.yaxis):
        axis.set_major_formatter("{x:g}")
    corner.set_title("the corner, enlarged", fontsize=9.5)
    for connector in axes.indicate_inset_zoom(corner, edgecolor=INK, alpha=0.5).connectors or ():
        connector.set_visible(False)  # they would cross the lines
