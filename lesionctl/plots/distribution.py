"""A figure of every picture, for each side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionctl.plots.figure import INK, add_legend, line, new_figure, shown_name
from lesionctl.plots.thinning import MOST_POINTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


def distribution_plot(values: Mapping[str, Sequence[float]], label: str) -> Figure:
    """Draw which share of the pictures lies at or below each value of a figure, and mark the median.

    The height of a line at 0.7 is the share of pictures that reach no more than 0.7: how many fail can be read off.

    Args:
        values: The figure of each picture, by side, at least one. NaN (not defined for that picture) is left out,
            infinity keeps the line below 100 %. The axis is [0, 1] where all values lie there, else it begins at 0, and
            is logarithmic above 1 where some values are far from the others.
        label: The figure, with its unit.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    known = {name: np.sort(_without_nan(own)) for name, own in values.items()}
    with new_figure(3.3 + 0.21 * len(values)) as (figure, (axes,)):
        axes.axhline(0.5, color=INK, linewidth=0.9, linestyle=(0, (1, 2)))
        handles, names = [], []
        _set_range(axes, np.concatenate([own[np.isfinite(own)] for own in known.values()]))
        for number, (name, own) in enumerate(known.items()):
            style = line(number)
            if not len(own):
                handles += axes.plot([], [], **style.options)
                names.append(f"{shown_name(name, 30)} · no value")
                continue
            middle = float(np.median(own))
            steps = "steps-post" if len(own) <= MOST_POINTS else "default"
            axes.plot(*_shares(own, axes.get_xlim()), drawstyle=steps, **style.options | {"marker": ""})
            handles += axes.plot([middle], [0.5], clip_on=False, markersize=7, **style.options)
            names.append(f"{shown_name(name, 30)} · median {middle:.3g}")
        axes.set(ylim=(0, 1), yticks=np.linspace(0, 1, 5), yticklabels=["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.set_xlabel(label if axes.get_xscale() == "linear" else f"{label}, logarithmic")
        axes.set_ylabel("pictures at or below")
        add_legend(figure, handles, names)
    return figure


def _without_nan(values: Sequence[float]) -> NDArray[np.float64]:
    every = np.asarray(values, np.float64)
    return every[~np.isnan(every)]


def _set_range(axes: Axes, finite: NDArray[np.float64]) -> None:
    low, high = (min(0.0, finite.min()), finite.max()) if len(finite) else (0.0, 1.0)
    if low == 0 and high <= 1:
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter("{x:g}")
    elif low == 0 and high > 20 * np.median(finite):
        axes.set_xscale("symlog", linthresh=1, linscale=0.4)
        axes.set_xlim(0, 1.3 * high)
        decades = [1, 10, 100, 1000, 10_000]
        axes.set_xticks([0, *(decade for decade in decades if decade < 1.3 * high)])
        axes.xaxis.set_major_formatter("{x:g}")
    else:
        axes.set_xlim(1.03 * low, 1.03 * high)
        axes.locator_params(axis="x", nbins=6)


def _shares(
    ordered: NDArray[np.float64], limits: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The values, and the share of all that each reaches, from one end of the axis to the other."""
    finite = ordered[np.isfinite(ordered)]
    ranks = np.unique(np.linspace(0, len(finite) - 1, min(len(finite), MOST_POINTS)).round().astype(int))
    x = np.concatenate([[limits[0]], finite[:1], finite[ranks], [limits[1]]])
    return x, np.concatenate([[0], [0] * len(finite[:1]), ranks + 1, [len(finite)]]) / len(ordered)
