"""The style of every plot, and its way to SVG and PNG: the one place that imports matplotlib."""

from __future__ import annotations

import io
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from lesionctl.errors import MissingExtra
from lesionctl.plots.inline_svg import inline_svg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 5.0
"""Inches, or 360 of the SVG's units: on a phone's 360 pixels text has the size that is set here."""

INK = "#2b2c2d"
"""Text, axes and grid: this dark grey in PNG, the colour of the page's text in SVG."""

# Okabe and Ito's colours, told apart by colour-blind readers too; those with a contrast of 3 on white and on
# near-black, and their orange darkened to that.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", INK, "#a87400")

# As many as have no common divisor with the colours' number, nor with each other's: a pair comes again after 210 sides.
_DASHES: tuple[str | tuple[float, tuple[float, ...]], ...] = (
    "-", (0, (5, 1.6)), (0, (1.4, 1.2)), (0, (7, 1.6, 1.4, 1.6)), (0, (3, 1.2, 3, 1.2, 1, 1.2)),
)  # fmt: skip
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # matplotlib brings it along; a page shows its own sans-serif
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.fontsize": 10,
    "axes.titlelocation": "left",
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.16,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "lines.linewidth": 1.7,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "legend.labelspacing": 0.35,
    "legend.borderpad": 0,
    "text.parse_math": False,  # a side's name may hold dollar signs
    "svg.fonttype": "none",
    "svg.hashsalt": "lesionctl",
}


class Line(NamedTuple):
    """How a side is told from the others: by colour, dashes and marker, so that one of them is enough."""

    colour: str
    dashes: str | tuple[float, tuple[float, ...]]
    marker: str

    @property
    def options(self) -> dict[str, Any]:
        """The same, as options of `Axes.plot`."""
        return {"color": self.colour, "linestyle": self.dashes, "marker": self.marker}


def line(side: int) -> Line:
    """The line of a side, by its number from 0."""
    return Line(COLOURS[side % len(COLOURS)], _DASHES[side % len(_DASHES)], _MARKERS[side % len(_MARKERS)])


@contextmanager
def new_figure(
    height: float, *, width: float = WIDTH, heights: Sequence[float] = (1,), columns: int = 1
) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure in the program's style, to be drawn within the block.

    Args:
        height: Inches.
        width: Inches. Wider than `WIDTH` makes text smaller than it should be on a phone.
        heights: The rows of axes and their shares of the height.
        columns: How many axes stand in a row.

    Yields:
        The figure and its axes, row by row.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    with _style(), _any_character():
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine

        figure = Figure((width, height), layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06))
        axes = figure.subplots(len(heights), columns, squeeze=False, height_ratios=heights)
        yield figure, list(axes.flat)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # once laid out, every file of the figure is the same


def add_legend(figure: Figure, handles: Sequence[Artist], names: Sequence[str]) -> None:
    """List the sides below the axes, where they hide no data and long names have room.

    Args:
        figure: What they are drawn in.
        handles: A line or mark for each.
        names: What each is called.
    """
    figure.legend(handles, names, loc="outside lower left", ncols=1)


def shown_name(name: str, room: int = 46) -> str:
    """A name that fits into a line of the legend: a long one loses its middle, and what cannot be printed is marked.

    Args:
        name: Any text.
        room: How many characters there is room for.
    """
    name = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name)
    if len(name) <= room:
        return name
    half = (room - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def to_svg(figure: Figure, alt: str) -> str:
    """Write a figure as a part of a page: transparent, as wide as its place, its ink in the colour of the text there.

    The same figure and text give the same SVG. It refers to nothing outside itself.

    Args:
        figure: From one of the functions of this package.
        alt: What the plot shows, in a sentence or two, for those who do not see it.

    Returns:
        From `<svg` to `</svg>`.
    """
    file = io.StringIO()
    with _style(), _any_character():
        figure.savefig(file, format="svg", facecolor="none", metadata={"Date": None})
    return inline_svg(file.getvalue(), alt, INK)


def to_png(figure: Figure, dpi: int = 160) -> bytes:
    """Write a figure as a PNG file, on white.

    Args:
        figure: From one of the functions of this package.
        dpi: Pixels for each inch of the figure.
    """
    file = io.BytesIO()
    with _style(), _any_character():
        figure.savefig(file, format="png", facecolor="white", dpi=dpi)
    return file.getvalue()


@contextmanager
def _style() -> Iterator[None]:
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtra("matplotlib", "plot", "drawing plots") from error
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # else the person's own matplotlibrc would change what is drawn
        matplotlib.rcParams.update(_STYLE)
        yield


@contextmanager
def _any_character() -> Iterator[None]:
    # A page's own font has the characters that matplotlib's lacks.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)
        yield
