"""What was scored, what its pictures are, and what could not be used."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.evaluate.report.document import Facts, Fold, Listing, Paragraph, Section, Words
from lesionctl.evaluate.report.leaks import leak_status
from lesionctl.evaluate.report.sources import citations_of_source
from lesionctl.evaluate.report.wording import SPLITS, count_of, join, percent

if TYPE_CHECKING:
    from lesionctl.errors import Failure
    from lesionctl.evaluate.analysis import Analysis
    from lesionctl.evaluate.report.document import Block
    from lesionctl.evaluate.report.material import Material


def data_section(material: Material) -> Section:
    """The data: what they are, what each side knew of them, what failed."""
    analysis = material.analysis
    blocks: list[Block] = [Facts((*_pictures(analysis), *_seen(analysis)))]
    blocks += [_truths_in_words(analysis), _failures_in_words(analysis)]
    blocks += _named("true masks", analysis.cases.left_out, analysis.cases.remarks)
    for summary in analysis.summaries:
        blocks += _named(summary.name, summary.evaluation.failures, summary.evaluation.remarks)
    return Section("data", "Data", tuple(blocks))


def _named(whose: str, failures: list[Failure], remarks: list[Failure]) -> list[Block]:
    return [
        Fold(f"{whose}: {count_of(len(found), 'file')} that {what}", (Listing(tuple(_lines(found))),))
        for what, found in (("could not be used", failures), ("should be looked at", remarks))
        if found
    ]


def _pictures(analysis: Analysis) -> list[tuple[str, Words]]:
    cases = analysis.cases
    items = [("scored on", Words(cases.title))]
    if cases.store is not None:
        items.append(("prepared set", Words(str(cases.store.path))))
        items.append(("digest", Words(f"SHA-256 {cases.store.info.digest}")))
    if cases.split is not None:
        fold = "" if cases.fold is None else f", fold {cases.fold}"
        items.append(("split", Words(f"{SPLITS[str(cases.split)]}{fold}")))
    groups = f"in {count_of(analysis.groups, 'group')} of pictures that belong together"
    items.append(("pictures", Words(f"{analysis.n:,}, {groups}")))
    items += [("not known of all", Words(str(gap))) for gap in cases.gaps]
    sources = Counter(case.source for case in cases.items)
    for source, number in sources.most_common():
        items.append(("source", Words(f"{source}, {count_of(number, 'picture')}", citations_of_source(source))))
    items.append(("sizes", Words(_sizes(analysis))))
    items.append(("lesions", Words(_lesions(analysis))))
    return items


def _sizes(analysis: Analysis) -> str:
    counts = [image.counts for image in analysis.summaries[0].evaluation.images]
    millions = np.array([c.tp + c.fp + c.fn + c.tn for c in counts]) / 1e6
    low, middle, high = (_three_digits(value) for value in (millions.min(), np.median(millions), millions.max()))
    if low == high:
        return f"{low} megapixels each; every picture was scored at its own size"
    return f"{low} to {high} megapixels, median {middle}; every picture was scored at its own size"


def _lesions(analysis: Analysis) -> str:
    counts = [image.counts for image in analysis.summaries[0].evaluation.images]
    shares = np.array([(c.tp + c.fn) / (c.tp + c.fp + c.fn + c.tn) for c in counts])
    empty = int((shares == 0).sum())
    text = f"{percent(shares.min())} to {percent(shares.max())} of the picture, median {percent(np.median(shares))}"
    return f"{text}; {count_of(empty, 'picture')} without a lesion" if empty else text


def _three_digits(value: float) -> str:
    return np.format_float_positional(value, precision=3, fractional=False, trim="-")


def _seen(analysis: Analysis) -> list[tuple[str, Words]]:
    return [
        (f"seen in training by {summary.name}", Words(leak_status(summary.evaluation)))
        for summary in analysis.summaries
    ]


def _truths_in_words(analysis: Analysis) -> Paragraph:
    cases = analysis.cases
    number = len(cases.left_out)
    said = ["All true masks could be used."]
    if number:
        masks = count_of(analysis.n + number, "true mask")
        said = [f"Of {masks} {number:,} could not be used, and as many pictures were left out for all sides."]
    grey = [(len(cases.remarks), "of the true masks")]
    grey += [(len(s.evaluation.remarks), f"of the predictions of {s.name}") for s in analysis.summaries]
    told = [f"{number:,} {whose}" for number, whose in grey if number]
    if told:
        said.append(f"Not plainly black and white, and scored by what is above 128, are {join(told)}.")
    elif any(summary.evaluation.model is None for summary in analysis.summaries):
        said.append("All mask files that were used are black and white.")
    return Paragraph(tuple(map(Words, said)), title="Mask files")


def _failures_in_words(analysis: Analysis) -> Paragraph:
    failed = {s.name: sum(image.failed for image in s.evaluation.images) for s in analysis.summaries}
    rule = Words(
        "Where a side has no prediction that can be used, because it is missing, cannot be read, is of another size or "
        "holds values of which none is above 128, the picture is scored as one in which nothing was found; it is never "
        "left out."
    )
    if not any(failed.values()):
        return Paragraph((rule, Words("There were no such pictures.")), title="Failed predictions")
    told = join([f"{number:,} of {name}" for name, number in failed.items() if number])
    return Paragraph((rule, Words(f"There were such pictures: {told}.")), title="Failed predictions")


def _lines(found: list[Failure]) -> list[str]:
    return [f"{failure.path}: {failure.reason}" for failure in found]
