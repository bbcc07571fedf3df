"""Two sides on the same pictures: by how much they differ, and whether that can be told from chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionctl.evaluate.comparison import SIGNIFICANT
from lesionctl.evaluate.report.document import Cell, Fold, Paragraph, Plot, Section, Table, Words
from lesionctl.evaluate.report.drawing import inline
from lesionctl.evaluate.report.models import cost_table
from lesionctl.evaluate.report.wording import (
    NOTHING,
    TOO_FEW,
    count_of,
    doubt_in_words,
    format_interval,
    format_p,
    format_value,
    in_words,
    label_of,
    size_in_words,
)
from lesionctl.scoring.figures import figure
from lesionctl.scoring.overlap import FIGURES

if TYPE_CHECKING:
    from lesionctl.evaluate.analysis import Analysis
    from lesionctl.evaluate.comparison import Comparison
    from lesionctl.evaluate.report.document import Block
    from lesionctl.evaluate.report.material import Material


def comparison_section(material: Material, *, painted: bool) -> Section:
    """Every two sides, folded where the first is not one of them; there are at least two.

    Args:
        material: What the report is written from.
        painted: Whether plots are drawn.
    """
    blocks: list[Block] = []
    for comparison in material.analysis.comparisons:
        title = f"{comparison.one} against {comparison.other}"
        shown = (_table(comparison, material), _plot(comparison, painted=painted))
        if comparison.one == material.names[0]:
            blocks += [Paragraph(_verdicts(comparison, material.analysis), title=title), *shown]
        else:
            blocks.append(Fold(title, (Paragraph(_verdicts(comparison, material.analysis)), *shown)))
    if (costs := cost_table(material)) is not None:
        blocks.append(costs)
    return Section("comparison", "Comparison", tuple(blocks))


def _verdicts(comparison: Comparison, analysis: Analysis) -> tuple[Words, ...]:
    said = []
    few = bool(analysis.resamples) and not analysis.has_intervals
    why = f"{count_of(analysis.groups, 'group')} are {TOO_FEW}" if few else "without an interval"
    for name in ("dice", "jaccard"):
        found = next(difference for difference in comparison.differences if difference.figure == name)
        apart = in_words(name, found.estimate, signed=True)
        verdict = {
            None: f"{figure(name).label}: {apart}; {why}: nothing follows from it",
            "better": f"{figure(name).label}: {comparison.one} is better, by {size_in_words(found)}",
            "worse": f"{figure(name).label}: {comparison.one} is worse, by {size_in_words(found)}",
            "a tie": f"{figure(name).label}: a tie; the difference is {apart}, and its interval holds zero",
        }[None if found.verdict is None else str(found.verdict)]
        pictures = count_of(found.wins + found.ties + found.losses, "picture")
        said.append(
            Words(
                f"{verdict}{doubt_in_words(found)}. {comparison.one} is ahead on {found.wins:,} of {pictures}, "
                f"behind on {found.losses:,}."
            )
        )
    return tuple(said)


def _table(comparison: Comparison, material: Material) -> Table:
    summaries = {summary.name: summary for summary in material.analysis.summaries}
    one, other = (summaries[name].per_image for name in (comparison.one, comparison.other))
    rows = [
        (
            Cell(label_of(d.figure)),
            Cell(format_value(d.figure, one[d.figure].value)),
            Cell(format_value(d.figure, other[d.figure].value)),
            Cell(
                format_value(d.figure, d.estimate.value, signed=True),
                format_interval(d.figure, d.estimate, signed=True),
            ),
            Cell(format_p(d.p_value), f"Holm {format_p(d.p_holm)}"),
            Cell(f"{d.wins} / {d.ties} / {d.losses}"),
            Cell(NOTHING if d.verdict is None else str(d.verdict)),
        )
        for d in comparison.differences
    ]
    return Table(
        caption=f"Mean per image of {comparison.one} and {comparison.other}, and their difference",
        head=(
            "figure",
            comparison.one,
            comparison.other,
            "difference",
            "p (Wilcoxon)",
            "wins / ties / losses",
            "verdict",
        ),
        rows=tuple(rows),
        note=f"Difference is {comparison.one} less {comparison.other}, with its paired 95 % interval; the verdict is "
        f"of {comparison.one}, and a tie where the interval holds zero. Holm is the p-value corrected for all figures "
        f"and all pairs of sides; from {SIGNIFICANT:g} on it is no evidence, whatever the interval. Wins are pictures "
        "on which the first is better.",
    )


def _plot(comparison: Comparison, *, painted: bool) -> Plot:
    title = f"Differences, {comparison.one} less {comparison.other}"
    caption = f"Right of zero {comparison.one} is better; where the 95 % interval holds zero, it is a tie."
    if not painted:
        return Plot(title, caption)

    from lesionctl.plots.difference import difference_plot

    shown = [d for d in comparison.differences if d.figure in FIGURES]
    labels = [figure(d.figure).label for d in shown]
    intervals = [
        None if d.estimate.low is None or d.estimate.high is None else (d.estimate.low, d.estimate.high) for d in shown
    ]
    drawn = difference_plot(labels, [d.estimate.value for d in shown], intervals)
    told = ", ".join(
        f"{label} {format_value(d.figure, d.estimate.value, signed=True)}"
        for label, d in zip(labels, shown, strict=True)
    )
    return Plot(title, caption, inline(drawn, f"{title}, with 95 % intervals: {told}."))
