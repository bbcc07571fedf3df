"""What was measured, on the terminal: speeds first, then what they cost, then where the time goes."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING, Any

from lesionctl.bench.case import Case, What
from lesionctl.bench.comparison import relative_speed
from lesionctl.bench.figure import shared_label, short_name
from lesionctl.bench.machine import machine_lines
from lesionctl.bench.quality import Quality
from lesionctl.bench.timing import FEWEST_TURNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lesionctl.bench.comparison import Comparison
    from lesionctl.bench.result import BenchResult, Row
    from lesionctl.cli.terminal import Terminal
    from lesionctl.scoring.bootstrap import Estimate

_NOTHING = "–"

_WIDEST = 100  # letters of a line of text; a narrower terminal has shorter ones

_TITLES = {
    What.NETWORK: "network alone, from bytes in memory to probabilities in memory",
    What.PREDICT_EACH: "predict, one picture file at a time to its mask file",
    What.PREDICT_ALL: "predict, all picture files in one go to mask files",
    What.TRAIN: "train, a step: forward, loss, backward, optimiser",
}


def show(result: BenchResult, terminal: Terminal) -> None:
    """Show all that was measured."""
    for text in machine_lines(result.environment):
        _write(terminal, text)
    names = _name_rows(result.rows)
    for what in dict.fromkeys(row.case.what for row in result.rows):
        _show_speeds([row for row in result.rows if row.case.what is what], names, result, terminal)
    _show_costs([row for row in result.rows if row.turns], names, terminal)
    _show_largest(result.rows, names, terminal)
    _show_feed(result.rows, names, terminal)
    _show_models(result.rows, terminal)
    _show_quality(result.rows, terminal)
    for stages in result.stages:
        _show_stages(stages, terminal)
    _say_what_figures_are(result, terminal)


def show_comparison(comparison: Comparison, terminal: Terminal) -> None:
    """Show what has changed since an earlier run."""
    names = _name_rows([change.now for change in comparison.changes])
    rows = [
        [
            names[id(change.now)],
            str(change.now.case.what),
            str(change.now.case.batch_size),
            _ratio(change.ratio),
            _NOTHING if change.verdict is None else str(change.verdict),
        ]
        for change in comparison.changes
    ]
    terminal.table("speed now over the speed before", ["case", "what", "batch", "times (95 %)", "verdict"], rows)
    for change in comparison.changes:
        for remark in change.remarks:
            _write(terminal, f"{names[id(change.now)]}, {change.now.case.what}: {remark}")
    for remark in comparison.remarks:
        _write(terminal, remark)
    for when, rows_of_one in (("now", comparison.only_now), ("before", comparison.only_before)):
        for row in rows_of_one:
            _write(terminal, f"measured {when} alone: {row.case.label}")


def _show_speeds(rows: Sequence[Row], names: Mapping[int, str], result: BenchResult, terminal: Terminal) -> None:
    on_device = any(row.device_turns for row in rows)
    columns = ["case", "batch", "img/s", "× the first", "p50\nms", "p95\nms", "p99\nms"]
    lines = []
    for row in rows:
        timing, on_device_timing, base = row.timing, row.device_timing, result.base_of(row)
        line = [names[id(row)], str(row.case.batch_size)]
        if timing is None or base is None:
            line += [_NOTHING] * 5
        else:
            ratio = None if row is base else relative_speed(row, base)
            line += [_three(timing.images_per_second), _ratio(ratio) if ratio else "1"]
            line += [_three(value) for value in (timing.p50_ms, timing.p95_ms, timing.p99_ms)]
        if on_device:
            line.append(_three(on_device_timing.p50_ms) if on_device_timing else _NOTHING)
        lines.append(line)
    terminal.table(_TITLES[rows[0].case.what], columns + (["GPU\nms"] if on_device else []), lines)
    for row in rows:
        if row.reason:
            _write(terminal, f"{names[id(row)]}, batch {row.case.batch_size}: {row.reason}")


def _show_costs(rows: Sequence[Row], names: Mapping[int, str], terminal: Terminal) -> None:
    """Each column only where something is known."""
    columns = {
        "start\ns": [_three(row.start_seconds) for row in rows],
        "MB": [_whole(row.memory_mb) for row in rows],
        "GPU\nMB": [_whole(row.device_memory_mb) for row in rows],
        "arith.": [_share(row, "of_operations") for row in rows],
        "bandw.": [_share(row, "of_bandwidth") for row in rows],
        "feed\nimg/s": [_three(row.feed) for row in rows],
        "Dice": [_NOTHING if row.dice is None else f"{row.dice:.4f}" for row in rows],
    }
    known = {name: cells for name, cells in columns.items() if any(cell != _NOTHING for cell in cells)}
    lines = [
        [names[id(row)], _what_of(row.case), *(cells[index] for cells in known.values())]
        for index, row in enumerate(rows)
    ]
    if lines:
        terminal.table("what it costs", ["case", "what × batch", *known], lines)


def _show_models(rows: Iterable[Row], terminal: Terminal) -> None:
    for (model, side), row in {(row.case.model, row.case.size): row for row in rows if row.work}.items():
        at = f" at {side} px" if side else ""
        size = f", {row.file_bytes / 1e6:.1f} MB" if row.file_bytes else ""
        _write(
            terminal,
            f"{short_name(model)}{at}: {row.parameters:,} parameters, {(row.multiply_adds or 0) / 1e9:.3g} G "
            f"multiply-adds a picture{size}",
        )


def _show_quality(rows: Iterable[Row], terminal: Terminal) -> None:
    """What the Dice are, and of which pictures: each model is scored on those that it has not seen."""
    scored = [(short_name(row.case.model), Quality.from_dict(row.quality)) for row in rows if row.quality]
    if not scored:
        return
    digests = dict.fromkeys(quality.digest for _, quality in scored)
    for digest in digests:
        alike = [(model, quality) for model, quality in scored if quality.digest == digest]
        of = f" of {', '.join(dict.fromkeys(model for model, _ in alike))}" if len(digests) > 1 else ""
        _write(terminal, f"Dice{of}: {alike[0][1].label}")
    if len(digests) > 1:
        terminal.warn(f"Dice: {shared_label([quality for _, quality in scored])}")
    for remark in dict.fromkeys(remark for _, quality in scored for remark in quality.remarks):
        terminal.warn(remark)


def _show_feed(rows: Iterable[Row], names: Mapping[int, str], terminal: Terminal) -> None:
    """Whether steps or the varied pictures that they wait for bound a training."""
    for row in rows:
        if row.feed is None or row.timing is None:
            continue
        steps, case = row.timing.images_per_second, f"train, {names[id(row)]}, batch {row.case.batch_size}"
        if row.runs_on.endswith(" cpu"):  # the same processors do both
            both = 1 / (1 / steps + 1 / row.feed)
            share = _percent(both / row.feed)
            _write(terminal, f"{case}: with varying the pictures, at most {_three(both)} img/s, {share} of it varying")
        else:
            bound = "the steps bound" if steps < row.feed else "varying bounds: more processors would help"
            _write(terminal, f"{case}: the processors vary {_three(row.feed)} img/s at most, so {bound}")


def _show_largest(rows: Iterable[Row], names: Mapping[int, str], terminal: Terminal) -> None:
    """How many pictures fit at once, why no more, and how many are enough; once for each way."""
    told = {names[id(row)]: row.largest for row in rows if row.turns and row.largest}
    for name, largest in told.items():
        fits = "" if largest["batch"] is None else f"{largest['batch']:,} pictures "
        enough = f"; from {largest['best']} on it is no faster" if largest["best"] else ""
        _write(terminal, f"largest batch, {name}: {fits}({largest['reason']}){enough}")


def _show_stages(stages: Mapping[str, Any], terminal: Terminal) -> None:
    case = Case.from_dict(stages["case"])
    model = " ".join([short_name(case.model), *case.variant])
    if "reason" in stages:
        _write(terminal, f"stages of {model}: {stages['reason']}")
        return
    title = f"a picture of predict, {model} on {stages['backend']}: processor time of each stage"
    rows = [
        [name, _three(milliseconds), _percent(stages["shares"].get(name))]
        for name, milliseconds in stages["ms"].items()
    ]
    terminal.table(title, ["stage", "ms", "share"], rows)
    limits, processors = stages["limits"], stages["processors"]
    _write(
        terminal,
        f"at most {limits['all stages']:.0f} img/s on {processors} processor{'s' if processors > 1 else ''}; "
        f"decoding alone {limits['decoding']:.0f}, the network alone {limits['network']:.0f}; {stages['bound']} takes "
        "the most",
    )
    for advice in stages["advice"]:
        _write(terminal, f"to be faster: {advice}")


def _say_what_figures_are(result: BenchResult, terminal: Terminal) -> None:
    if result.rows:
        _write(
            terminal, "img/s: pictures per second, by the median run; × the first: over those of the first row, 95 %"
        )
    if any(0 < len(row.turns) < FEWEST_TURNS for row in result.rows):
        _write(terminal, f"intervals need {FEWEST_TURNS} turns: --repeats {FEWEST_TURNS} or more")
    if any(row.share for row in result.rows):
        _write(
            terminal,
            "arith., bandw.: share of the arithmetic and of the memory's bandwidth that this machine was measured to "
            "manage in that number format; the larger one bounds",
        )


def _write(terminal: Terminal, text: str) -> None:
    """A line of text, or as many as it takes, that end between words."""
    width = min(_WIDEST, max(20, shutil.get_terminal_size().columns))
    terminal.line(textwrap.fill(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))


def _name_rows(rows: Sequence[Row]) -> dict[int, str]:
    """What tells each row from the others: the model only where there are several, the device likewise."""
    models = {row.case.model for row in rows}
    devices = {row.runs_on.split()[-1] for row in rows if row.runs_on}
    names = {}
    for row in rows:
        words = row.name.split()
        if len(devices) == 1 and devices & set(words):
            words = [word for word in words if word not in devices]
        names[id(row)] = " ".join([*([short_name(row.case.model)] if len(models) > 1 else []), *words])
    return names


def _what_of(case: Case) -> str:
    return str(case.what) if case.what is What.PREDICT_EACH else f"{case.what} × {case.batch_size}"


def _ratio(ratio: Estimate) -> str:
    value = _three(ratio.value)
    return value if ratio.low is None or ratio.high is None else f"{value} ({_three(ratio.low)}–{_three(ratio.high)})"


def _share(row: Row, name: str) -> str:
    return _percent(row.share[name] if row.share else None)


def _percent(value: float | None) -> str:
    return _NOTHING if value is None else f"{100 * value:.0f} %"


def _three(value: float | None) -> str:
    """Three digits, which is what a measurement is worth."""
    if value is None:
        return _NOTHING
    return f"{value:.0f}" if value >= 99.95 else f"{value:#.3g}"


def _whole(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.0f}"
