"""Plots as parts of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionctl.atomic import escape_undecodable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def inline(figure: Figure, alt: str) -> str:
    """A plot as SVG that can stand in a page, with a text for those who do not see it.

    Args:
        figure: From one of the functions of `lesionctl.plots`.
        alt: What it shows; names in it may hold bytes that are no text.
    """
    from lesionctl.plots.figure import to_svg

    return to_svg(figure, escape_undecodable(alt))
