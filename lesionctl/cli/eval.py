"""`lesionctl eval`: score models and folders of masks on the same pictures, and compare them."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionctl.cli.options import Device, Json, PrecisionOption, option, terminal_of
from lesionctl.cli.saved_config import save_config
from lesionctl.dataset.samples import Split
from lesionctl.errors import GateError, SomeInputsFailed, UsageError
from lesionctl.evaluate.when_seen import WhenSeen
from lesionctl.paths import DEFAULT_MODEL
from lesionctl.runtime.precision import Precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.cli.eval_sides import Wanted
    from lesionctl.evaluate.analysis import Analysis
    from lesionctl.evaluate.demands import Demand
    from lesionctl.scoring.tolerance import Tolerance

_sides = partial(option, rich_help_panel="What is scored")
_pictures = partial(option, rich_help_panel="On which pictures")
_figures = partial(option, rich_help_panel="Figures")
_result = partial(option, rich_help_panel="Result")


def evaluate(
    context: typer.Context,
    models_and_store: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL...] STORE",
            help=f"A model ({DEFAULT_MODEL} by default), or several that answer together, and a prepared set.",
        ),
    ] = None,
    pred: Annotated[
        Path | None, _sides(metavar="DIR", help="In place of a model: masks that any program made.")
    ] = None,
    against: Annotated[
        list[str] | None,
        _sides(metavar="MODEL|DIR", help="Score this on the same pictures too, and compare."),
    ] = None,
    truth: Annotated[
        Path | None, _pictures(metavar="DIR", help="In place of a STORE: the true masks; with --pred.")
    ] = None,
    images: Annotated[
        Path | None, _pictures(metavar="DIR", help="The pictures of --truth, for skin tones and the report.")
    ] = None,
    group_by: Annotated[
        str | None,
        _pictures(metavar="COLUMN", help="Which pictures of --truth belong together (lesion, patient); --metadata."),
    ] = None,
    split: Annotated[Split, _pictures(help="Which split of STORE.")] = Split.TEST,
    fold: Annotated[int | None, _pictures(help="Take the splits of this fold of a set that has folds.")] = None,
    seen: Annotated[
        WhenSeen,
        _pictures(help="What to do where the test split holds pictures that a model has seen in training."),
    ] = WhenSeen.REFUSE,
    metadata: Annotated[
        list[Path] | None,
        _pictures(metavar="FILE.csv", help="A table with a row per picture, for --by and --group-by."),
    ] = None,
    by: Annotated[
        list[str] | None,
        _figures(metavar="COLUMN", help="Tell the figures of each value of this column of --metadata too."),
    ] = None,
    tolerance: Annotated[
        list[str] | None,
        _figures(
            metavar="5px|5%",
            help="Of normalised surface Dice, in pixels or per cent of the lesion's diameter. \\[default: 5px, 5%]",
        ),
    ] = None,
    resamples: Annotated[
        int, _figures(min=0, help="Resamples of the bootstrap behind the 95 % intervals; 0: no intervals.")
    ] = 10_000,
    seed: Annotated[int, _figures(min=0, help="Same seed, same intervals.")] = 0,
    report: Annotated[
        list[Path] | None,
        _result(metavar="FILE.html|.md|.pdf", help="Write it all up, with plots and pictures."),
    ] = None,
    csv: Annotated[
        Path | None, _result(metavar="FILE", help="Write a row for each picture of each side, with every figure.")
    ] = None,
    fail_under: Annotated[
        list[str] | None,
        _result(
            metavar="FIGURE=VALUE",
            help="Leave with exit code 4 where the mean is lower, such as dice=0.88; of all pixels: pooled.dice=0.9.",
        ),
    ] = None,
    device: Device = "auto",
    precision: PrecisionOption = Precision.AUTO,
    as_json: Json = False,
) -> None:
    """Score models and masks by ISIC's rules, and compare them.

    Masks are compared at the true masks' own size; figures are told per image and pooled, with 95 % intervals. Test
    pictures that a model has seen in training are refused with exit code 4, or treated as
    --seen says.

    Predictions that are missing or cannot be used count as empty; they are named, and the exit code is 3.

    Examples:
        # the bundled model on the test split of a store
        lesionctl eval demo.store
        # a run against the bundled model, with a report
        lesionctl eval run demo.store --against lesion-s --report report.html
        # masks that any program made; exit code 4 below that Dice
        lesionctl eval --pred masks --truth demo/masks --csv scores.csv --fail-under dice=0.8
    """
    from lesionctl.cli.eval_sides import read_sides

    *models, store = models_and_store or [""]
    _check_words(models, store, pred, truth)
    typed = {name for name in context.params if _is_typed(context, name)}
    _refuse_what_does_not_apply(typed, in_folders=truth is not None)
    if metadata and not by and not group_by:
        raise UsageError("--metadata alone does nothing", hint="say which of its columns with --by")
    if truth is not None and group_by and not metadata:
        raise UsageError(f"--group-by {group_by} needs a table", hint="name it with --metadata FILE.csv")

    wanted = read_sides(
        [str(pred)] if pred else models or [DEFAULT_MODEL], against or [], first_is_folder=pred is not None
    )
    _check_models(wanted, typed, in_folders=truth is not None)
    terminal = terminal_of(context)
    tolerances = _read_tolerances(tolerance or [])

    demands = _read_demands(fail_under or [], tolerances, of_model=pred is None)
    _check_files(report or [], csv)
    save_config(context)

    from lesionctl.cli.eval_tables import show, warn_of_remarks
    from lesionctl.dataset.store import open_store
    from lesionctl.evaluate.analysis import analyse
    from lesionctl.evaluate.cases import cases_of_folder, cases_of_store
    from lesionctl.evaluate.demands import check
    from lesionctl.evaluate.scoring import score
    from lesionctl.evaluate.tables import to_csv, to_dict

    tables, columns = metadata or [], list(dict.fromkeys(by or []))
    if truth is not None:
        cases = cases_of_folder(truth, images=images, metadata=tables, by=columns, group_by=group_by)
    else:
        cases = cases_of_store(open_store(Path(store)), split, fold, metadata=tables, by=columns)
    with terminal.task("loading what is scored"):
        sides = [side.open(device, precision) for side in wanted]
    evaluations, cases = score(sides, cases, tolerances=tolerances, when_seen=seen, progress=terminal)
    analysis = analyse(evaluations, cases, resamples=resamples, seed=seed, progress=terminal)

    if csv is not None:
        from lesionctl.atomic import write_text

        write_text(csv, to_csv(analysis))
    if report:
        from lesionctl.evaluate.report.report import write_reports

        write_reports(report, analysis, sides, command=["lesionctl", *sys.argv[1:]], progress=terminal)
    if as_json:
        terminal.json(to_dict(analysis))
    else:
        show(analysis, terminal)
    warn_of_remarks(analysis, terminal)
    failed = _failures(analysis)
    try:
        check(demands, analysis)
    except GateError:
        if failed is not None:
            terminal.warn(failed.what)
        raise
    if failed is not None:
        raise failed


def _check_words(models: list[str], store: str, pred: Path | None, truth: Path | None) -> None:
    """See that it is said what is scored, and on which pictures, and each but once."""
    if truth is not None and store:
        raise UsageError(
            "--truth and a STORE exclude each other", hint="a STORE has its own true masks: leave one of them out"
        )
    if truth is not None and pred is None:
        raise UsageError("--truth needs --pred, the masks to be scored", hint="models are scored on a STORE")
    if truth is None and not store:
        raise UsageError(
            "name a STORE, a MODEL and a STORE, or --pred DIR --truth DIR",
            hint="--pred DIR and a STORE scores masks of the pictures of a prepared set" if pred else None,
        )
    if pred is not None and models:
        raise UsageError(
            f"--pred and a MODEL exclude each other, and '{models[0]}' is one",
            hint=f"compare the two: --pred {pred} --against {models[0]} {store}",
        )


def _is_typed(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line: what stands in a file is for all commands that it applies to."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _refuse_what_does_not_apply(typed: set[str], *, in_folders: bool) -> None:
    of_store, of_folders = ["split", "fold", "seen"], ["images", "group_by"]
    for name in of_store if in_folders else of_folders:
        if name not in typed:
            continue
        option_name = f"--{name.replace('_', '-')}"
        if in_folders:
            raise UsageError(
                f"{option_name} is about a STORE, and --truth is a folder", hint="leave it out, or name a STORE"
            )
        raise UsageError(
            f"{option_name} is about --truth, and a STORE has its own pictures and groups", hint="leave it out"
        )


def _check_models(wanted: Sequence[Wanted], typed: set[str], *, in_folders: bool) -> None:
    """See that models have pictures to look at, and that what is said of models is said of some."""
    models = [side for side in wanted if side.folder is None]
    if in_folders and models:
        raise UsageError(
            f"'{models[0].models[0]}' is a model, and beside --truth only masks can be scored",
            hint="make a STORE with `lesionctl prepare --images DIR --masks DIR`, or name a folder of masks",
        )
    if not models and "seen" in typed:
        raise UsageError("--seen is about models, and there is none", hint="leave it out")


def _read_tolerances(texts: Sequence[str]) -> list[Tolerance]:
    from lesionctl.scoring.tolerance import DEFAULT_TOLERANCES, Tolerance

    try:
        return list(dict.fromkeys(map(Tolerance.parse, texts))) or list(DEFAULT_TOLERANCES)
    except ValueError as error:
        raise UsageError(f"--tolerance: {error}") from error


def _read_demands(texts: Sequence[str], tolerances: Sequence[Tolerance], *, of_model: bool) -> list[Demand]:
    from lesionctl.evaluate.demands import Demand, check_measured

    demands = [Demand.parse(text) for text in texts]
    check_measured(demands, tolerances, of_model=of_model)
    return demands


def _check_files(reports: Sequence[Path], csv: Path | None) -> None:
    """See that files can be written before it takes hours to know what is in them."""
    if reports:
        from lesionctl.evaluate.report.report import check_report

        for file in reports:
            check_report(file)
    if csv is not None and csv.is_dir():
        raise UsageError(f"{csv} cannot be written: it is a directory", hint="name a file in it")
    if csv is not None and not csv.parent.is_dir():
        raise UsageError(f"{csv} cannot be written: there is no directory {csv.parent}", hint="make it first")


def _failures(analysis: Analysis) -> SomeInputsFailed | None:
    """All files that could not be used, each named once."""
    evaluations = [summary.evaluation for summary in analysis.summaries]
    of_sides = (failure for evaluation in evaluations for failure in evaluation.failures)
    failures = list(dict.fromkeys([*analysis.cases.left_out, *of_sides]))
    if not failures:
        return None
    used = sum(not image.failed for evaluation in evaluations for image in evaluation.images)
    return SomeInputsFailed(failures, len(failures) + used)
