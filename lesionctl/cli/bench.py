"""`lesionctl bench`: how fast models are on this machine, and what is wrong with it."""

from __future__ import annotations

import importlib.util
import os
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionctl.cli.options import Device, Json, flag, option, terminal_of
from lesionctl.cli.saved_config import save_config
from lesionctl.errors import MissingExtra, UsageError
from lesionctl.paths import DEFAULT_MODEL
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.precision import Precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.bench.case import What
    from lesionctl.bench.result import BenchResult


class Measured(StrEnum):
    """What a person can ask for."""

    NETWORK = "network"
    PREDICT = "predict"
    TRAIN = "train"
    STAGES = "stages"
    ALL = "all"


class Layout(StrEnum):
    """Order of pictures and weights in memory."""

    CHANNELS_LAST = "channels_last"
    CONTIGUOUS = "contiguous"


_what = partial(option, rich_help_panel="What is measured")
_what_flag = partial(flag, rich_help_panel="What is measured")
_computing = partial(option, rich_help_panel="Computing")
_computing_flag = partial(flag, rich_help_panel="Computing")
_outputs = partial(option, rich_help_panel="What is written")


def bench(
    context: typer.Context,
    model: Annotated[
        list[str] | None,
        _what(metavar="MODEL", help=f"A model. \\[default: {DEFAULT_MODEL}]"),
    ] = None,
    what: Annotated[
        list[Measured] | None,
        _what(
            help="The network alone, predict from picture files to mask files, steps of train, or which stages of "
            "predict take the time. \\[default: network, predict, stages]"
        ),
    ] = None,
    images: Annotated[
        list[str] | None,
        _what(metavar="INPUT", help="Pictures. \\[default: 24 that are drawn, at the sizes of ISIC's]"),
    ] = None,
    store: Annotated[
        Path | None, _what(metavar="STORE", help="Also score each way on the test split of this prepared set.")
    ] = None,
    largest_batch: Annotated[
        bool, _what_flag("--largest-batch", help="Also find how many pictures fit at once, and how many are best.")
    ] = False,
    environment: Annotated[
        bool, _what_flag("--environment", help="Measure nothing: show what this machine is, and what is wrong.")
    ] = False,
    repeats: Annotated[int, _what(min=1, help="Turns that are measured; one before them warms up.")] = 5,
    backend: Annotated[
        list[Backend] | None, _computing(help="What runs the network. \\[default: what predict would take]")
    ] = None,
    precision: Annotated[list[Precision] | None, _computing(help="Number format. \\[default: auto]")] = None,
    all_backends: Annotated[
        bool, _computing_flag("--all-backends", help="Every backend and number format that works here.")
    ] = False,
    batch_size: Annotated[
        list[int] | None,
        _computing(
            min=1,
            help="Pictures that go through the network at once. \\[default: 1 and 8 of the network alone, else 8]",
        ),
    ] = None,
    threads: Annotated[
        list[int] | None, _computing(min=1, help="Processors to use. \\[default: all that are granted]")
    ] = None,
    compiled: Annotated[
        bool, _computing_flag("--compile", help="Beside each case on torch, one that torch compiles.")
    ] = False,
    layout: Annotated[
        list[Layout] | None, _computing(help="Order in memory on torch. \\[default: channels_last]")
    ] = None,
    size: Annotated[
        list[int] | None,
        _computing(help="Side of the network's square input in pixels, on torch. \\[default: the model's own]"),
    ] = None,
    device: Device = "auto",
    against: Annotated[
        Path | None,
        option(metavar="FILE", help="What --json printed before: say what has changed, and what is noise."),
    ] = None,
    csv: Annotated[Path | None, _outputs(metavar="FILE", help="Write a row for each case.")] = None,
    plot: Annotated[
        Path | None, _outputs(metavar="FILE", help="Draw speed against Dice as PNG; needs --store.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure speed, memory and quality of models on this machine.

    It tells images per second, latency, memory and, with --store, Dice, each way to run a model beside the others. Each
    case runs in a process of its own, and they take turns, so that a machine whose speed drifts is fair to all.
    Where several values of an option are given, each is combined with each. What cannot run is a row with its reason,
    and the exit code is then 3; --all-backends leaves out what this machine lacks.

    Examples:
        # the network, predict, and which stages take the time
        lesionctl bench
        # every backend and number format, with Dice
        lesionctl bench --all-backends --store demo.store --plot speed.png
        # two models, to be compared with later
        lesionctl bench --model run --model lesion-s --what network --json > before.json
        # what this machine is, for a bug report
        lesionctl bench --environment
    """
    terminal = terminal_of(context)
    if environment:
        from lesionctl.cli.bench_environment import tell_environment

        tell_environment(terminal, as_json=as_json)
        return
    _check(plot, store, csv, _measured(what), everywhere=all_backends and bool(backend))

    from lesionctl.bench.bench import BenchOptions
    from lesionctl.bench.bench import bench as run
    from lesionctl.bench.comparison import compare
    from lesionctl.bench.plan import Wanted, plan_cases
    from lesionctl.bench.result import BenchResult, SomeCasesFailed

    before = BenchResult.read(against) if against else None
    cases = plan_cases(
        Wanted(
            what=_measured(what),
            models=model or [DEFAULT_MODEL],
            backends=backend or [Backend.AUTO],
            precisions=precision or [Precision.AUTO],
            every_way=all_backends,
            device=device,
            batch_sizes=batch_size or [],
            threads=threads or [],
            compiled=compiled,
            channels_last=[order is Layout.CHANNELS_LAST for order in layout or [Layout.CHANNELS_LAST]],
            sizes=size or [],
        )
    )
    options = BenchOptions(tuple(images or []), repeats, store, largest_batch, only_what_works=all_backends)
    save_config(context, model=model or [DEFAULT_MODEL])
    result = run(cases, options, progress=terminal)
    comparison = compare(result, before) if before else None
    if as_json:
        terminal.json({**result.to_dict(), **({"comparison": comparison.to_dict()} if comparison else {})})
    else:
        from lesionctl.cli.bench_tables import show, show_comparison  # they import torch: not beside what is measured

        show(result, terminal)
        if comparison:
            show_comparison(comparison, terminal)
    _write_files(result, csv, plot)
    if result.failed:
        reasons = "\n".join(f"  {case.label}: {reason}" for case, reason in result.failed)
        total = len(result.rows) + len(result.stages)
        raise SomeCasesFailed(f"{len(result.failed)} of {total} cases could not be measured:\n{reasons}")


def _check(plot: Path | None, store: Path | None, csv: Path | None, what: Sequence[What], *, everywhere: bool) -> None:
    """What is known to fail at the end is said at the beginning."""
    from lesionctl.bench.case import What

    if everywhere:
        raise UsageError("--all-backends and --backend exclude each other")
    for name, file in (("--plot", plot), ("--csv", csv)):
        if file and (file.is_dir() or not os.access(file.absolute().parent, os.W_OK)):
            raise UsageError(f"{name} {file}: no such file can be written", hint="name a file in a folder of your own")
    if store and not set(what) - {What.TRAIN, What.STAGES}:
        raise UsageError("--store scores the network and predict", hint="add --what network or --what predict")
    if plot and not store:
        raise UsageError("--plot draws speed against Dice", hint="give the prepared set to score on: --store STORE")
    if plot and importlib.util.find_spec("matplotlib") is None:
        raise MissingExtra("matplotlib", "plot", "drawing a figure")


def _measured(names: Sequence[Measured] | None) -> list[What]:
    from lesionctl.bench.case import What
    from lesionctl.bench.plan import BY_DEFAULT

    meant = {
        Measured.NETWORK: [What.NETWORK],
        Measured.PREDICT: [What.PREDICT_EACH, What.PREDICT_ALL],
        Measured.TRAIN: [What.TRAIN],
        Measured.STAGES: [What.STAGES],
        Measured.ALL: list(What),
    }
    return [what for name in names for what in meant[name]] if names else list(BY_DEFAULT)


def _write_files(result: BenchResult, csv: Path | None, plot: Path | None) -> None:
    from lesionctl.atomic import write_bytes, write_text

    if csv:
        write_text(csv, result.to_csv())
    if plot:
        from lesionctl.bench.figure import draw_speeds

        write_bytes(plot, draw_speeds(result))
