"""Parts of the pictures, the worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionctl.evaluate.facts import SKIN_TONE
from lesionctl.evaluate.report.document import Cell, Paragraph, Section, Table, Words
from lesionctl.evaluate.report.wording import TOO_FEW, count_of, format_interval, format_value, label_of
from lesionctl.scoring.bootstrap import FEWEST_GROUPS

if TYPE_CHECKING:
    from lesionctl.evaluate.analysis import Analysis, Summary
    from lesionctl.evaluate.report.document import Block
    from lesionctl.evaluate.report.material import Material
    from lesionctl.evaluate.subgroups import Subgroup


def subgroups_section(material: Material) -> Section:
    """The subgroups of each side; where no column tells pictures apart, it says so."""
    blocks: list[Block] = []
    parts = [part for summary in material.analysis.summaries for part in summary.subgroups]
    if not parts:
        blocks.append(Paragraph((Words("Nothing that is known of the pictures tells them apart."),)))
    else:
        said = [Words("Parts of the pictures by what is known of them, the lowest mean Dice first.")]
        if any(part.column == SKIN_TONE for part in parts):
            said.append(
                Words(
                    "Skin tone is estimated from the colour of the skin around the lesion, by its individual typology "
                    "angle; of photographs whose colours are not calibrated it is an estimate",
                    ("chardon1991", "delbino2013"),
                )
            )
        blocks.append(Paragraph(tuple(said)))
    for summary in material.analysis.summaries:
        large = [part for part in summary.subgroups if not part.small]
        small = [part for part in summary.subgroups if part.small]
        if large:
            blocks.append(_table(f"Subgroups of {summary.name}", large, summary, material.analysis))
        if small:
            title = f"Subgroups of {summary.name} with fewer than 10 pictures: too few to say much"
            blocks.append(_table(title, small, summary, material.analysis))
    return Section("subgroups", "Subgroups", tuple(blocks))


def _table(caption: str, parts: list[Subgroup], summary: Summary, analysis: Analysis) -> Table:
    names = list(parts[0].figures)
    rows = [
        (
            Cell(part.value, part.column),
            Cell(f"{part.n:,}", count_of(part.groups, "group")),
            *(Cell(format_value(n, part.figures[n].value), format_interval(n, part.figures[n])) for n in names),
        )
        for part in parts
    ]
    everyone = (
        Cell("all pictures"),
        Cell(f"{len(summary.evaluation.images):,}"),
        *(Cell(format_value(n, summary.per_image[n].value), format_interval(n, summary.per_image[n])) for n in names),
    )
    head = ("part", "pictures", *(label_of(name) for name in names))
    note = "Mean per image."
    if analysis.has_intervals:
        note = "Mean per image, with the 95 % interval."
        if any(part.groups < FEWEST_GROUPS for part in parts):
            note += f" Where there is none, there are {TOO_FEW}."
    return Table(caption, head, (*rows, everyone), note)
