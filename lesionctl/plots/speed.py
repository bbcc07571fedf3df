"""How fast against how good: pictures per second and Dice of models, backends and number formats."""

from __future__ import annotations

import math
import textwrap
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from lesionctl.plots.figure import add_legend, line, new_figure, shown_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

_LEAST_SPAN = 0.02  # of Dice: differences of thousandths are not to fill the axis
_MOST_TICKS = 7
_TITLE_LETTERS = 58
_LEGEND_LETTERS = 56
_MODEL_LETTERS = 46  # of a name; a longer one loses its middle
_GAP = 6.0  # points between a mark and its number
# Above or below the mark, beside it, across, then farther away: where a number may stand, the best first.
_SIDES = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
_DISTANCES = (1, 1.7, 2.6, 3.6)
_ALIGNED = {-1: "right", 0: "center", 1: "left"}
_UPRIGHT = {-1: "top", 0: "center", 1: "bottom"}


class SpeedPoint(NamedTuple):
    """A model, as it ran in one way.

    Attributes:
        model: What the model is called; all points of a model share colour and mark.
        label: In which way it ran, such as `openvino bf16 cpu`; may be empty.
        images_per_second: Above 0.
        dice: In [0, 1].
        dice_interval: Low and high end; None where there is none.
        speed_interval: Likewise.
    """

    model: str
    label: str
    images_per_second: float
    dice: float
    dice_interval: tuple[float, float] | None = None
    speed_interval: tuple[float, float] | None = None


def speed_plot(points: Sequence[SpeedPoint], dice_label: str = "mean per image", title: str = "") -> Figure:
    """Draw pictures per second, on a logarithmic axis, against Dice: up and to the right is better.

    The points are numbered, and listed below the axes by their numbers with both figures.

    Args:
        points: One for each case, at least one.
        dice_label: What the Dice is and of which pictures, in as many lines as it takes.
        title: What was measured on what machine, above that.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    models = list(dict.fromkeys(point.model for point in points))
    lines = [*textwrap.wrap(title, _TITLE_LETTERS), *textwrap.wrap(f"Dice: {dice_label}", _TITLE_LETTERS)]
    told = [_tell(number, point) for number, point in enumerate(points, 1)]
    rows = sum(text.count("\n") + 1 for text in told)
    with new_figure(3.5 + 0.2 * len(lines) + 0.215 * rows) as (figure, (axes,)):
        marks = [_draw(axes, point, models.index(point.model)) for point in points]
        _set_speeds(axes, points)
        _set_dice(axes, points)
        axes.set_xlabel("pictures per second, logarithmic")
        axes.set_ylabel("Dice")
        axes.set_title("\n".join(lines))
        add_legend(figure, marks, told)
        figure.draw_without_rendering()  # where everything stands is known only once it is laid out
        _add_numbers(figure, axes, points)
    return figure


def _tell(number: int, point: SpeedPoint) -> str:
    """What the legend says of a point: where that is long, in several lines that end between words."""
    names = [shown_name(name, _MODEL_LETTERS) for name in (point.model, point.label) if name]
    speed = point.images_per_second
    told = f"{speed:,.0f}" if speed >= 100 else f"{speed:.3g}"
    joined = "\N{NO-BREAK SPACE}· ".join([*names, f"{told}/s", f"{point.dice:.4f}"])
    lines = textwrap.wrap(joined, _LEGEND_LETTERS, subsequent_indent="    ", break_on_hyphens=False)
    return f"{number}  " + "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")


def _draw(axes: Axes, point: SpeedPoint, side: int) -> Any:
    style = line(side)
    bar: dict[str, Any] = {
        "color": style.colour,
        "linewidth": 1.3,
        "alpha": 0.65,
        "solid_capstyle": "butt",
        "zorder": 2,
    }
    if point.dice_interval is not None:
        axes.plot([point.images_per_second] * 2, point.dice_interval, **bar)
    if point.speed_interval is not None:
        axes.plot(point.speed_interval, [point.dice] * 2, **bar)
    (mark,) = axes.plot(
        [point.images_per_second], [point.dice], color=style.colour, marker=style.marker, linestyle="", markersize=7
    )
    return mark


def _set_speeds(axes: Axes, points: Sequence[SpeedPoint]) -> None:
    """From a step below the slowest to one above the fastest, with the numbers 1, 2, 5, 10 and so on."""
    ends = [end for point in points for end in (point.images_per_second, *(point.speed_interval or ()))]
    low, high = min(ends) / 1.5, max(ends) * 1.5
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8), (1, 2, 5), (1, 3), (1,)):
        ticks = [digit * 10.0**power for power, digit in product(decades, digits)]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= _MOST_TICKS:
            break
    axes.set_xticks(ticks, [f"{tick:,.10g}" for tick in ticks])
    axes.set_xticks([], minor=True)


def _set_dice(axes: Axes, points: Sequence[SpeedPoint]) -> None:
    ends = [end for point in points for end in (point.dice, *(point.dice_interval or ()))]
    low, high = min(ends), max(ends)
    room = max(0.15 * (high - low), (_LEAST_SPAN - (high - low)) / 2)
    axes.set_ylim(max(low - room, -0.005), min(high + room, 1.005))  # half a mark beyond what a Dice may be
    axes.locator_params(axis="y", nbins=6)
    axes.yaxis.set_major_formatter("{x:.3f}" if high - low + 2 * room < 0.06 else "{x:.2f}")


def _add_numbers(figure: Figure, axes: Axes, points: Sequence[SpeedPoint]) -> None:
    """Write beside each point its number, where that hides as little as possible of points, bars and other numbers."""
    taken = [box for point in points for box in _boxes(figure, axes, point)]
    for number, point in enumerate(points, 1):
        places = [(right * away, up * away) for away in _DISTANCES for right, up in _SIDES]
        label = axes.annotate(
            str(number),
            (point.images_per_second, point.dice),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=9,
            fontweight="bold",
            annotation_clip=False,
        )
        label.set_in_layout(False)
        hidden = []
        for place in places:
            _put(label, place)
            hidden.append(_hidden(label.get_window_extent(), axes.get_window_extent(), taken))
        _put(label, places[hidden.index(min(hidden))])
        taken.append(label.get_window_extent().padded(4))  # two numbers side by side would read as one


def _put(label: Annotation, place: tuple[float, float]) -> None:
    right, up = place
    label.set_position((right * _GAP, up * _GAP))
    label.set(ha=_ALIGNED[(right > 0) - (right < 0)], va=_UPRIGHT[(up > 0) - (up < 0)])


def _boxes(figure: Figure, axes: Axes, point: SpeedPoint) -> list[Bbox]:
    """What a mark and its bars cover, in the figure's pixels."""
    from matplotlib.transforms import Bbox

    def box(x: tuple[float, float], y: tuple[float, float], room: float) -> Bbox:
        low, high = axes.transData.transform([(x[0], y[0]), (x[1], y[1])])
        return Bbox([low, high]).padded(room * figure.dpi / 72)

    x, y = point.images_per_second, point.dice
    boxes = [box((x, x), (y, y), 4)]
    if point.dice_interval is not None:
        boxes.append(box((x, x), point.dice_interval, 1))
    if point.speed_interval is not None:
        boxes.append(box(point.speed_interval, (y, y), 1))
    return boxes


def _hidden(box: Bbox, frame: Bbox, taken: Sequence[Bbox]) -> float:
    """How much of what is there a text would hide, or hang out of the axes by, in square pixels."""
    inside = box.intersection(box, frame)
    outside = box.width * box.height - (inside.width * inside.height if inside else 0)
    overlaps = (box.intersection(box, other) for other in taken)
    return float(outside + sum(other.width * other.height for other in overlaps if other))
