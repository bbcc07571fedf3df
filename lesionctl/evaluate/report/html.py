"""A report as one HTML page that needs nothing but itself."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader

from lesionctl.atomic import escape_undecodable
from lesionctl.evaluate.report.document import Plot
from lesionctl.evaluate.report.gallery import PREDICTION, TRUTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lesionctl.evaluate.report.document import Block, Document


_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(%|px)(\W|$))|(?<=Dice|card|HD95) (?=[\d∞])")


def to_html(document: Document) -> str:
    """The text of the page.

    Args:
        document: With its pictures.

    Returns:
        HTML that no name in the document can break: all text is escaped, the plots' SVG alone is taken as it is.
    """
    environment = Environment(
        loader=PackageLoader("lesionctl.evaluate.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["runs"] = _runs
    environment.filters["kind"] = lambda block: type(block).__name__
    environment.filters["tight"] = lambda text: _BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", text)
    environment.filters["numbers"] = lambda cites: sorted(document.numbers[key] for key in cites)
    page = environment.get_template("report.html.jinja").render(document=document, truth=TRUTH, prediction=PREDICTION)
    return escape_undecodable(page)


def _runs(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Blocks one by one, but plots that follow one another together: they stand side by side where there is room."""
    for are_plots, run in groupby(blocks, lambda block: isinstance(block, Plot)):
        if are_plots:
            yield list(run)
        else:
            yield from ([block] for block in run)
