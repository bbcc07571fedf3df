"""The beginning of a report: the answer in words, and the table of all figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionctl.evaluate.report.document import Cell, Facts, Fold, Paragraph, Section, Table, Tile, Tiles, Words
from lesionctl.evaluate.report.leaks import leak_warning
from lesionctl.evaluate.report.wording import (
    NOTHING,
    TOO_FEW,
    count_of,
    doubt_in_words,
    format_interval,
    format_value,
    in_words,
    join,
    label_of,
)
from lesionctl.scoring.figures import Better, figure
from lesionctl.scoring.overlap import FIGURES, THRESHOLD_JACCARD

if TYPE_CHECKING:
    from lesionctl.evaluate.analysis import Analysis, Summary
    from lesionctl.evaluate.report.document import Block
    from lesionctl.evaluate.report.material import Material

_TILES = {
    "dice": "mean over pictures",
    "jaccard": "mean over pictures",
    "thresholded_jaccard": f"below {THRESHOLD_JACCARD} counts as 0 (ISIC 2018)",
    "hd95": "mean over pictures",
}


def summary_section(material: Material) -> Section:
    """The answer, its figures, and what they mean."""
    analysis = material.analysis
    blocks: list[Block] = [Paragraph(tuple(_answer(analysis)))]
    warning = leak_warning(analysis)
    if warning:
        blocks.append(Paragraph(tuple(warning), title="Read this first", warns=True))
    blocks.append(_tiles(analysis))
    blocks += [_table(summary, analysis) for summary in analysis.summaries]
    blocks.append(Fold("What the figures mean", (_definitions(analysis),)))
    return Section("summary", "Summary", tuple(blocks))


def _answer(analysis: Analysis) -> list[Words]:
    first, *others = analysis.summaries
    dice, jaccard = (in_words(name, first.per_image[name]) for name in ("dice", "jaccard"))
    said = [
        Words(
            f"On the {count_of(analysis.n, 'picture')} of {analysis.cases.title}, {first.name} reaches a mean Dice of "
            f"{dice} and a mean Jaccard of {jaccard}."
        )
    ]
    low = sum(image.figures()["jaccard"] < THRESHOLD_JACCARD for image in first.evaluation.images)
    median = format_value("dice", first.quartiles["dice"].median)
    pooled = format_value("dice", first.pooled["dice"].value)
    said.append(
        Words(
            f"Half of the pictures have a Dice of at least {median}; on {low:,} of {analysis.n:,} the Jaccard is below "
            f"{THRESHOLD_JACCARD}, which the ISIC challenge of 2018 counts as failed",
            ("isic2018",),
        )
    )
    said.append(Words(f"Of all pixels together, Dice is {pooled}."))
    if analysis.resamples and not analysis.has_intervals:
        said.append(Words(f"{count_of(analysis.groups, 'group')} of pictures are {TOO_FEW}."))
    for other in others:
        said.append(Words(_against(analysis, first, other)))
    failed = sum(image.failed for image in first.evaluation.images)
    if failed:
        said.append(
            Words(
                f"For {count_of(failed, 'picture')} there was no usable prediction, which counts as one in which "
                "nothing was found."
            )
        )
    return said


def _against(analysis: Analysis, first: Summary, other: Summary) -> str:
    comparison = next(c for c in analysis.comparisons if (c.one, c.other) == (first.name, other.name))
    dice = next(difference for difference in comparison.differences if difference.figure == "dice")
    apart = in_words("dice", dice.estimate, signed=True)
    if dice.verdict is None:
        return f"Its mean Dice differs from that of {other.name} by {apart}."
    verdict = {"better": "better than", "worse": "worse than", "a tie": "a tie with"}[str(dice.verdict)]
    return f"By Dice it is {verdict} {other.name}: the difference is {apart}{doubt_in_words(dice)}."


def _tiles(analysis: Analysis) -> Tiles:
    return Tiles(
        tuple(
            Tile(
                label_of(name),
                note,
                tuple(
                    (
                        summary.name,
                        format_value(name, summary.per_image[name].value),
                        format_interval(name, summary.per_image[name]),
                    )
                    for summary in analysis.summaries
                ),
            )
            for name, note in _TILES.items()
        )
    )


def _table(summary: Summary, analysis: Analysis) -> Table:
    overlap = [name for name in summary.per_image if name in FIGURES]
    boundary = [name for name in summary.per_image if name not in FIGURES]
    rows: list[tuple[Cell, ...]] = [(Cell("Overlap of the areas"),), *(_row(summary, name) for name in overlap)]
    rows += [(Cell("Distance of the outlines"),), *(_row(summary, name) for name in boundary)]
    if summary.probabilities:
        rows.append((Cell("Probabilities, which need no threshold"),))
        for name, found in summary.probabilities.items():
            cell = Cell(format_value(name, found.value), format_interval(name, found))
            rows.append((Cell(label_of(name), cites=(figure(name).citation,)), Cell(NOTHING), Cell(NOTHING), cell))
    return Table(
        caption=f"Every figure of {summary.name}, {count_of(analysis.n, 'picture')}",
        head=("figure", "mean per image", "median", "pooled"),
        rows=tuple(rows),
        note="↑ higher is better, ↓ lower is better. In small type: the 95 % interval, and beside the median the "
        "quartiles. Per image is the mean over pictures, each with the same weight; pooled is of all pixels together, "
        "as if the set were one picture.",
    )


def _row(summary: Summary, name: str) -> tuple[Cell, ...]:
    mean, quartiles, pooled = summary.per_image[name], summary.quartiles[name], summary.pooled.get(name)
    spread = f"{format_value(name, quartiles.lower)} to {format_value(name, quartiles.upper)}"
    return (
        Cell(label_of(name), cites=(figure(name).citation,)),
        Cell(format_value(name, mean.value), format_interval(name, mean)),
        Cell(format_value(name, quartiles.median), spread),
        Cell(NOTHING) if pooled is None else Cell(format_value(name, pooled.value), format_interval(name, pooled)),
    )


def _definitions(analysis: Analysis) -> Facts:
    names = dict.fromkeys(
        name for summary in analysis.summaries for name in (*summary.per_image, *summary.probabilities)
    )
    items = []
    for name in names:
        known = figure(name)
        way = "Higher is better." if known.better is Better.HIGHER else "Lower is better."
        unit = f" In {join([known.unit])}." if known.unit == "px" else ""
        items.append((known.label, Words(f"{known.definition} {way}{unit}", (known.citation,))))
    return Facts(tuple(items))
