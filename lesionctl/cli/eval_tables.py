"""An analysis on the terminal: what is asked for first comes first, and only what is short enough to be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lesionctl.evaluate.analysis import SUBGROUP_FIGURES
from lesionctl.evaluate.comparison import SIGNIFICANT
from lesionctl.scoring.bootstrap import FEWEST_GROUPS
from lesionctl.scoring.figures import figure

if TYPE_CHECKING:
    from lesionctl.cli.terminal import Terminal
    from lesionctl.evaluate.analysis import Analysis, Summary
    from lesionctl.evaluate.comparison import Difference
    from lesionctl.scoring.bootstrap import Estimate

_SIDES_IN_A_TABLE = 3  # so many fit beside the names of the figures
_MOST_SUBGROUPS = 12
_MOST_REMARKS = 10
_NOTHING = "–"
_CONTESTED = " *"  # behind a verdict that the p-value does not bear out
_POOLED = ("dice", "jaccard")  # of several sides; of one, everything is shown
_WORST_BY = SUBGROUP_FIGURES[0]
_COMPARED = ("dice", "jaccard", "thresholded_jaccard")  # of several pairs of sides; of one, everything is shown


def show(analysis: Analysis, terminal: Terminal) -> None:
    """Show the figures, what they were taken from, the worst subgroups, and how the sides compare."""
    if len(analysis.summaries) == 1:
        _show_one(analysis, terminal)
    else:
        _show_several(analysis, terminal)
    _say_what_intervals_are(analysis, terminal)
    _show_probabilities(analysis, terminal)
    _show_confusion(analysis.summaries, terminal)
    _show_subgroups(analysis, terminal)
    _show_comparisons(analysis, terminal)


def warn_of_remarks(analysis: Analysis, terminal: Terminal) -> None:
    """Name the files that were used and about which a person should know something: each, or the first ten."""
    of_sides = (remark for summary in analysis.summaries for remark in summary.evaluation.remarks)
    remarks = list(dict.fromkeys([*analysis.cases.remarks, *of_sides]))
    for remark in remarks[:_MOST_REMARKS]:
        terminal.warn(f"{remark.path}: {remark.reason}")
    if len(remarks) > _MOST_REMARKS:
        terminal.warn(f"and {_times(len(remarks) - _MOST_REMARKS, 'more file')} like these; --json names them all")


def _show_one(analysis: Analysis, terminal: Terminal) -> None:
    summary = analysis.summaries[0]
    with_intervals = analysis.has_intervals
    heading = ["95 % interval"] if with_intervals else []
    rows = []
    for name, mean in summary.per_image.items():
        row = [_label(name), _write(name, mean.value)]
        row += [_interval(name, mean)] if with_intervals else []
        row.append(_write(name, summary.quartiles[name].median))
        pooled = summary.pooled.get(name)
        row.append(_write(name, pooled.value) if pooled else _NOTHING)
        row += [_interval(name, pooled) if pooled else _NOTHING] if with_intervals else []
        rows.append(row)
    terminal.table(
        f"{summary.name} on {_on_what(analysis)}{_in_brackets(_remark(summary))}",
        ["figure", "mean per\nimage", *heading, "median", "pixels\npooled", *heading],
        rows,
    )


def _show_several(analysis: Analysis, terminal: Terminal) -> None:
    remarks = [f"{summary.name}: {_remark(summary)}" for summary in analysis.summaries if _remark(summary)]
    title = f"{_on_what(analysis)}{_in_brackets('; '.join(remarks))}"
    for part in _parts(analysis.summaries):
        rows = [
            [_label(name), *(_with_interval(name, summary.per_image[name]) for summary in part)]
            for name in part[0].per_image
        ]
        rows += [
            [f"pooled {_label(name)}", *(_with_interval(name, summary.pooled[name]) for summary in part)]
            for name in _POOLED
        ]
        terminal.table(title, ["mean per image", *(summary.name for summary in part)], rows)
        title = "the same pictures"


def _say_what_intervals_are(analysis: Analysis, terminal: Terminal) -> None:
    if analysis.has_intervals:
        terminal.paragraph(
            f"95 % intervals: bootstrap of {_times(analysis.groups, 'group')} (lesions, patients), "
            f"{_times(analysis.resamples, 'resample')}.\n"
        )
    elif analysis.resamples:
        terminal.paragraph(f"No intervals: {_times(analysis.groups, 'group')}, too few groups for an interval.\n")


def _show_probabilities(analysis: Analysis, terminal: Terminal) -> None:
    models = [summary for summary in analysis.summaries if summary.probabilities]
    for part in _parts(models):
        names = list(dict.fromkeys(name for summary in part for name in summary.probabilities))
        rows = [[_label(name), *(_found(name, summary.probabilities.get(name)) for summary in part)] for name in names]
        best = [summary.evaluation.best_threshold for summary in part]
        if any(threshold is not None for threshold in best):
            specs = [summary.evaluation.model.spec if summary.evaluation.model else None for summary in part]
            own = [spec.threshold if spec else None for spec in specs]
            rows.append(["best threshold here", *(_threshold(threshold) for threshold in best)])
            rows.append(["the model's own", *(_threshold(threshold) for threshold in own)])
        terminal.table("probabilities, all pixels pooled", ["figure", *(summary.name for summary in part)], rows)
    found = [estimate for summary in models for estimate in summary.probabilities.values()]
    if analysis.has_intervals and any(estimate.low is None for estimate in found):
        terminal.paragraph("No intervals of these: the groups are too many to keep each one's pixels.\n")


def _show_confusion(summaries: Sequence[Summary], terminal: Terminal) -> None:
    title = "confusion matrix: share of all pixels, and the mean of each picture's share"
    shares = [_shares(summary) for summary in summaries]
    if len(shares) > 1:
        columns = ["", "lesion found", "lesion missed", "background taken", "background left"]
        rows = [
            [summary.name, own["tp"], own["fn"], own["fp"], own["tn"]]
            for summary, own in zip(summaries, shares, strict=True)
        ]
    else:
        columns = ["", "predicted lesion", "predicted background"]
        own = shares[0]
        rows = [["true lesion", own["tp"], own["fn"]], ["true background", own["fp"], own["tn"]]]
    terminal.table(title, columns, rows)


def _shares(summary: Summary) -> dict[str, str]:
    pixels = vars(summary.confusion)
    total = sum(pixels.values())
    return {name: f"{pixels[name] / total:.2%}, {mean:.2%}" for name, mean in summary.mean_confusion.items()}


def _show_subgroups(analysis: Analysis, terminal: Terminal) -> None:
    summary = analysis.summaries[0]
    large = [part for part in summary.subgroups if not part.small]
    if large:
        shown = large[:_MOST_SUBGROUPS]
        terminal.table(
            f"{summary.name}: subgroups, the worst first, mean per image",
            ["subgroup", "pictures", "groups", _label(_WORST_BY), "95 % interval"],
            [
                [
                    *(f"{part.column}: {part.value}", str(part.n), str(part.groups)),
                    _write(_WORST_BY, part.figures[_WORST_BY].value),
                    "too few groups"
                    if analysis.resamples and part.groups < FEWEST_GROUPS
                    else _interval(_WORST_BY, part.figures[_WORST_BY]),
                ]
                for part in shown
            ],
        )
    hidden = [
        f"{_times(len(large) - _MOST_SUBGROUPS, 'better subgroup')}" if len(large) > _MOST_SUBGROUPS else "",
        f"{_times(len(summary.subgroups) - len(large), 'subgroup')} of fewer than 10 pictures"
        if len(large) < len(summary.subgroups)
        else "",
    ]
    if any(hidden):
        terminal.paragraph(
            f"Not shown: {', '.join(text for text in hidden if text)}; --report and --json tell of them.\n"
        )


def _show_comparisons(analysis: Analysis, terminal: Terminal) -> None:
    comparisons = analysis.comparisons
    if not comparisons:
        return
    columns = ["difference", "95 % interval", "p (Holm)", "wins/ties\n/losses", "verdict"]
    if len(comparisons) == 1:
        (pair,) = comparisons
        rows = [[_label(found.figure), *_describe(found)] for found in pair.differences]
        terminal.table(f"{pair.one} less {pair.other}, mean per image", ["figure", *columns], rows)
    else:
        rows = [
            row
            for pair in comparisons
            for row in (
                [f"{pair.one} less {pair.other}", *[""] * len(columns)],
                *(
                    [f"  {_label(found.figure)}", *_describe(found)]
                    for found in pair.differences
                    if found.figure in _COMPARED
                ),
            )
        ]
        terminal.table("every two sides, mean per image", ["figure", *columns], rows)
    terminal.paragraph(
        "p: Wilcoxon's signed-rank test, Holm's correction. Verdict: a tie where the interval holds zero."
    )
    if any(found.contested for pair in comparisons for found in pair.differences):
        terminal.paragraph(f"*: the interval excludes zero, but p after Holm's correction is {SIGNIFICANT:g} or more.")
    if analysis.resamples and not analysis.has_intervals:
        terminal.paragraph(f"No verdicts: {_times(analysis.groups, 'group')}, too few groups for an interval.")


def _describe(found: Difference) -> list[str]:
    return [
        _write(found.figure, found.estimate.value, signed=True),
        _interval(found.figure, found.estimate, signed=True),
        "< 0.0001" if found.p_holm < 0.0001 else f"{found.p_holm:.4f}",
        f"{found.wins}/{found.ties}/{found.losses}",
        str(found.verdict or _NOTHING) + _CONTESTED * found.contested,
    ]


def _on_what(analysis: Analysis) -> str:
    return (
        f"{analysis.cases.title}: {_times(analysis.n, 'picture')} in {_times(analysis.groups, 'group')}, "
        "at the masks' own size"
    )


def _remark(summary: Summary) -> str:
    """What a title must say of pictures that the model has seen."""
    return summary.evaluation.origin.remark() if summary.evaluation.origin else ""


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _parts(summaries: Sequence[Summary]) -> Iterator[Sequence[Summary]]:
    for start in range(0, len(summaries), _SIDES_IN_A_TABLE):
        yield summaries[start : start + _SIDES_IN_A_TABLE]


def _label(name: str) -> str:
    known = figure(name)
    return f"{known.label}, {known.unit.removesuffix(' of diameter')}" if known.unit else known.label


def _write(name: str, value: float, *, signed: bool = False) -> str:
    """A value with the digits that its unit deserves: of pixels and per cent two, of fractions four."""
    digits = 2 if figure(name).unit else 4
    return f"{value:{'+' if signed else ''}.{digits}f}"


def _interval(name: str, estimate: Estimate, *, signed: bool = False) -> str:
    if estimate.low is None or estimate.high is None:
        return _NOTHING
    between = " to " if signed else "–"
    return between.join(_write(name, end, signed=signed) for end in (estimate.low, estimate.high))


def _with_interval(name: str, estimate: Estimate) -> str:
    value = _write(name, estimate.value)
    return value if estimate.low is None else f"{value}  {_interval(name, estimate)}"


def _found(name: str, estimate: Estimate | None) -> str:
    return _NOTHING if estimate is None else _with_interval(name, estimate)


def _threshold(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f}"


def _times(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
