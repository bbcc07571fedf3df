"""`lesionctl predict`: from pictures to masks."""

from __future__ import annotations

from typing import Annotated

import typer

from lesionctl.cli.options import Device, Models, OutFolder, PrecisionOption, flag, option, terminal_of
from lesionctl.errors import Failure, SomeInputsFailed, UsageError
from lesionctl.paths import DEFAULT_MODEL
from lesionctl.progress import track
from lesionctl.runtime.precision import Precision


def predict(
    context: typer.Context,
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Picture files, folders or patterns.")],
    out: OutFolder,
    model: Models = None,
    overlay: Annotated[bool, flag("--overlay", help="Write each picture with its outline too.")] = False,
    jsonl: Annotated[bool, flag("--jsonl", help="Print a line of JSON for each picture.")] = False,
    recursive: Annotated[bool, flag("--recursive", "-r", help="Look into subfolders too.")] = False,
    overwrite: Annotated[bool, flag("--overwrite", help="Replace masks that exist already.")] = False,
    skip_existing: Annotated[bool, flag("--skip-existing", help="Leave out what has a mask already.")] = False,
    batch_size: Annotated[int, option(min=1, help="Pictures per run of the network.", rich_help_panel="Computing")] = 8,
    device: Device = "auto",
    precision: PrecisionOption = Precision.AUTO,
) -> None:
    """Write a mask of its own size for each picture: OUT/<stem>_segmentation.png, 255 on the lesion.

    Pictures that cannot be used are named at the end, the rest are done, and the exit code is 3.

    Example: lesionctl predict scans/*.jpg --out masks --overlay
    """
    from lesionctl.dataset.inputs import find_inputs
    from lesionctl.predict.jobs import Existing, plan_jobs
    from lesionctl.predict.predict import predict as run
    from lesionctl.runtime.load import load_segmenter

    if overwrite and skip_existing:
        raise UsageError("--overwrite and --skip-existing exclude each other")
    existing = Existing.OVERWRITE if overwrite else Existing.SKIP if skip_existing else Existing.REFUSE
    terminal = terminal_of(context)
    jobs = plan_jobs(find_inputs(inputs, recursive=recursive), out, existing)
    segmenter = load_segmenter(model or DEFAULT_MODEL, device, precision)
    failures = []
    for outcome in track(
        terminal, run(segmenter, jobs, overlay=overlay, batch_size=batch_size), "segmenting", len(jobs)
    ):
        if isinstance(outcome, Failure):
            failures.append(outcome)
        elif jsonl:
            terminal.json(outcome.to_dict(), indent=None)
        else:
            terminal.line(str(outcome.mask))
    if failures:
        raise SomeInputsFailed(failures, len(jobs))
