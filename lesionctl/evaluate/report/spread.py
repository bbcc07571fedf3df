"""How the scores are spread: over the pictures, over the thresholds, over the pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionctl.evaluate.report.document import Cell, Paragraph, Plot, Section, Table, Words
from lesionctl.evaluate.report.drawing import inline
from lesionctl.evaluate.report.wording import count_of, format_value, join, label_of, percent

if TYPE_CHECKING:
    from lesionctl.evaluate.analysis import Analysis, Summary
    from lesionctl.evaluate.report.document import Block
    from lesionctl.evaluate.report.material import Material

_DISTRIBUTIONS = ("dice", "hd95")


def spread_section(material: Material, *, painted: bool) -> Section:
    """Distributions, curves of models, confusion matrices.

    Args:
        material: What the report is written from.
        painted: Whether plots are drawn.
    """
    analysis = material.analysis
    blocks: list[Block] = [_distribution(analysis, name, painted=painted) for name in _DISTRIBUTIONS]
    models = [summary for summary in analysis.summaries if summary.probabilities]
    if models:
        blocks += [_roc(models, painted=painted), _precision_recall(models, painted=painted)]
        blocks.append(_reliability(models, painted=painted))
    for summary in analysis.summaries:
        blocks.append(_confusion(summary))
        best = summary.evaluation.best_threshold
        if best is not None and summary.evaluation.model is not None:
            used = summary.evaluation.model.spec.threshold
            said = Words(
                f"On these validation pictures a threshold of {best:.2f} gives {summary.name} the highest mean "
                f"Jaccard, without post-processing; it was scored with {used:.2f}. A threshold that is chosen on "
                "pictures must not be judged on them."
            )
            blocks.append(Paragraph((said,), title=f"Best threshold of {summary.name}"))
    return Section("spread", "Distribution and errors", tuple(blocks))


def _distribution(analysis: Analysis, name: str, *, painted: bool) -> Plot:
    label = label_of(name)[:-2]
    title = f"{label} of each picture"
    caption = "The height of a line is the share of pictures that reach no more than the value below it."
    if not painted:
        return Plot(title, caption)

    from lesionctl.plots.distribution import distribution_plot

    values = {s.name: [image.figures()[name] for image in s.evaluation.images] for s in analysis.summaries}
    quartiles = [
        f"{s.name} has a median of {format_value(name, s.quartiles[name].median)} and quartiles of "
        f"{format_value(name, s.quartiles[name].lower)} and {format_value(name, s.quartiles[name].upper)}"
        for s in analysis.summaries
    ]
    alt = f"{title}, as the share of pictures at or below each value. {join(quartiles)}."
    return Plot(title, caption, inline(distribution_plot(values, label), alt))


def _areas(models: list[Summary], name: str) -> str:
    known = [(summary.name, summary.probabilities.get(name)) for summary in models]
    return join([f"{side} {format_value(name, found.value if found else None)}" for side, found in known])


def _roc(models: list[Summary], *, painted: bool) -> Plot:
    title = f"ROC curve of pixels, area under it: {_areas(models, 'roc_auc')}"
    caption = "Over all thresholds, of all pixels together. Most pixels are background, which flatters this curve."
    if not painted:
        return Plot(title, caption)

    from lesionctl.plots.probability import roc_plot

    curves = {s.name: s.evaluation.board.histogram.roc_curve() for s in models}
    known = {name: curve for name, curve in curves.items() if curve is not None}
    alt = f"{title}. True positive rate against false positive rate, rising from the lower left to the upper right."
    return Plot(title, caption, inline(roc_plot(known), alt))


def _precision_recall(models: list[Summary], *, painted: bool) -> Plot:
    title = f"Precision and recall of pixels, average precision: {_areas(models, 'average_precision')}"
    caption = "Over all thresholds, of all pixels together; faint lines join points of equal Dice."
    if not painted:
        return Plot(title, caption)

    from lesionctl.plots.probability import precision_recall_plot

    curves = {s.name: s.evaluation.board.histogram.precision_recall_curve() for s in models}
    known = {name: curve for name, curve in curves.items() if curve is not None}
    alt = f"{title}. Precision against recall, falling from the upper left to the lower right."
    return Plot(title, caption, inline(precision_recall_plot(known), alt))


def _reliability(models: list[Summary], *, painted: bool) -> Plot:
    title = f"Reliability of the probabilities, calibration error: {_areas(models, 'expected_calibration_error')}"
    caption = (
        "On the diagonal a probability means what it says; below it more lesion is claimed than there is. "
        "The bars count the pixels of each bin, on a logarithmic scale."
    )
    if not painted:
        return Plot(title, caption)

    from lesionctl.plots.probability import reliability_plot

    bins = {s.name: s.evaluation.board.histogram.reliability() for s in models}
    known = {name: found for name, found in bins.items() if found is not None}
    alt = f"{title}. The share of lesion among the pixels of each of 15 bins, against their mean probability."
    return Plot(title, caption, inline(reliability_plot(known), alt))


def _confusion(summary: Summary) -> Table:
    counts, mean = summary.confusion, summary.mean_confusion
    pixels = counts.tp + counts.fp + counts.fn + counts.tn

    def cell(name: str) -> Cell:
        number = getattr(counts, name)
        small = f"{percent(number / pixels)} of all pixels; per image {percent(mean[name])}"
        return Cell(f"{number:,}", small, shade=number / pixels)

    return Table(
        caption=f"Confusion matrix of {summary.name}, {count_of(pixels, 'pixel')}",
        head=("truth", "predicted lesion", "predicted background"),
        rows=((Cell("lesion"), cell("tp"), cell("fn")), (Cell("background"), cell("fp"), cell("tn"))),
        note="Large: pixels of all pictures together. Per image is the mean over pictures of each one's share.",
    )
