"""`lesionctl predict`: from pictures to masks."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionctl.cli.options import (
    BackendOption,
    Device,
    Models,
    OutFolder,
    PrecisionOption,
    flag,
    option,
    terminal_of,
)
from lesionctl.cli.saved_config import FILE_NAME, save_config, write_config
from lesionctl.errors import UsageError
from lesionctl.imaging.mask_form import MaskForm
from lesionctl.paths import DEFAULT_MODEL
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.precision import Precision

if TYPE_CHECKING:
    from lesionctl.cli.terminal import Terminal
    from lesionctl.predict.records import Prediction
    from lesionctl.predict.run import RunResult
    from lesionctl.predict.shard import Shard

_inputs = partial(option, rich_help_panel="Pictures")
_outputs = partial(option, rich_help_panel="What is written")
_output_flag = partial(flag, rich_help_panel="What is written")
_bulk = partial(option, rich_help_panel="Many pictures")
_computing = partial(option, rich_help_panel="Computing")

# Parameters that say which pictures, which of them and where to: the folder's configuration says how, for any others.
_OF_THESE_PICTURES = frozenset(
    {"inputs", "files_from", "null", "shard", "out", "csv", "polygons", "contact_sheet", "overwrite", "skip_existing"}
)


def predict(
    context: typer.Context,
    out: OutFolder,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INPUT...]",
            help="Picture files, folders or patterns; - reads a list of files from standard input.",
        ),
    ] = None,
    model: Models = None,
    recursive: Annotated[
        bool, flag("--recursive", "-r", help="Look into subfolders too.", rich_help_panel="Pictures")
    ] = False,
    files_from: Annotated[Path | None, _inputs(metavar="FILE", help="Take the files that this file lists.")] = None,
    null: Annotated[
        bool, flag("--null", "-0", help="Lists are separated by NUL, not by line.", rich_help_panel="Pictures")
    ] = False,
    max_pixels: Annotated[
        int | None,
        _inputs(
            min=1,
            metavar="PIXELS",
            help="Refuse a picture that claims more pixels. \\[default: 300000000]",
            show_default=False,
        ),
    ] = None,
    mask_format: Annotated[
        MaskForm, _outputs(help="Bits per pixel of a mask; both are black and white.")
    ] = MaskForm.GREY8,
    overlay: Annotated[bool, _output_flag("--overlay", help="Write each picture with its outline too.")] = False,
    probabilities: Annotated[
        bool, _output_flag("--probabilities", help="Write each picture's probabilities too, as 16-bit PNG.")
    ] = False,
    csv: Annotated[
        Path | None, _outputs(metavar="FILE", help="Write a row for each picture: size, shape, colours, flags.")
    ] = None,
    jsonl: Annotated[
        bool, _output_flag("--jsonl", help="Print the same row for each picture, as a line of JSON.")
    ] = False,
    polygons: Annotated[
        Path | None, _outputs(metavar="FILE", help="Write the outlines as polygons, COCO JSON.")
    ] = None,
    contact_sheet: Annotated[
        Path | None, _outputs(metavar="FILE", help="Write a PNG of small pictures, those to be looked at first.")
    ] = None,
    overwrite: Annotated[
        bool, flag("--overwrite", help="Make all masks anew.", rich_help_panel="Many pictures")
    ] = False,
    skip_existing: Annotated[
        bool,
        flag(
            "--skip-existing",
            help="Make masks of other models or settings anew, keep the rest.",
            rich_help_panel="Many pictures",
        ),
    ] = False,
    shard: Annotated[
        str | None, _bulk(metavar="I/N", help="Do the I-th of N shares. \\[default: that of a SLURM array's task]")
    ] = None,
    tta: Annotated[
        bool, flag("--tta", help="Average over the eight ways to turn a picture.", rich_help_panel="Computing")
    ] = False,
    batch_size: Annotated[int, _computing(min=1, help="Pictures that go through the network at once.")] = 8,
    backend: BackendOption = Backend.AUTO,
    device: Device = "auto",
    precision: PrecisionOption = Precision.AUTO,
) -> None:
    """Write a mask of the lesion for each picture.

    The mask of X.jpg is OUT/X_segmentation.png, of the picture's own size, 255 on the lesion and 0 elsewhere.

    The same command goes on where it was interrupted. Pictures that cannot be used are named at the end, the rest are
    done, and the exit code is 3; under torchrun, which would end the other processes then, it is 0.

    Examples:
        # all pictures of a folder
        lesionctl predict demo/images --out masks
        # with outlines to look at, and a table
        lesionctl predict demo/images/*.jpg --out looks --overlay --csv looks.csv
        # whatever find finds, and a line of JSON for each
        find demo/images -name '*.jpg' -print0 | lesionctl predict - -0 --out found --jsonl
    """
    if overwrite and skip_existing:
        raise UsageError("--overwrite and --skip-existing exclude each other")
    if not inputs and files_from is None:
        raise UsageError("there is nothing to do", hint="name pictures, folders or patterns, or --files-from FILE")

    from lesionctl.dataset.inputs import find_inputs
    from lesionctl.dataset.own_files import FOLDER, OwnFiles
    from lesionctl.imaging.opening import MAX_PIXELS
    from lesionctl.predict.jobs import Outputs, plan_jobs
    from lesionctl.predict.manifest import Existing
    from lesionctl.predict.run import RunOptions, run
    from lesionctl.runtime.load import find_models, load_segmenter
    from lesionctl.runtime.world import find_world

    terminal = terminal_of(context)
    share = _share(shard, terminal)
    about_all = [file for file in (csv, polygons, contact_sheet) if file is not None]
    own = OwnFiles(about_all)
    if len(set(map(own.real_path, about_all))) < len(about_all):
        raise UsageError("two of --csv, --polygons and --contact-sheet name the same file")
    found = find_inputs(inputs or [], recursive=recursive, files_from=files_from, null=null, own=own)
    jobs = plan_jobs(found, out, Outputs(overlay, probabilities), own)
    if own.left_out:
        terminal.say(_left_out(own.left_out))
    if share.of > 1:
        pictures = len(jobs)
        jobs = [job for job in jobs if share.holds(job.place)]
        terminal.say(f"share {share.number} of {share.of}: {len(jobs):,} of {pictures:,} pictures")

    names = model or [DEFAULT_MODEL]
    terminal.detail(f"model: {', '.join(map(str, find_models(names)))}")
    with terminal.task("loading the model"):
        segmenter = load_segmenter(names, device, precision, backend, pictures=len(jobs), world=find_world(os.environ))
    if tta:
        from lesionctl.runtime.views import DihedralSegmenter

        segmenter = DihedralSegmenter(segmenter)
    options = RunOptions(
        form=mask_format,
        how=f"{backend} {precision}{' views' if tta else ''}",
        existing=Existing.OVERWRITE if overwrite else Existing.REPLACE if skip_existing else Existing.REFUSE,
        shard=share,
        measures=jsonl,
        csv=csv,
        polygons=polygons,
        contact_sheet=contact_sheet,
        batch_size=batch_size,
        max_pixels=max_pixels or MAX_PIXELS,
    )

    def show(prediction: Prediction) -> None:
        if jsonl:
            terminal.json(prediction.to_dict(), indent=None)
        else:
            terminal.line(str(prediction.mask))

    models = model or [DEFAULT_MODEL]
    save_config(context, model=models)
    result = run(segmenter, jobs, out, options, progress=terminal, show=show)
    # Beside the manifest: the folder itself holds masks, and people loop over all that is in it.
    write_config(context, out / FOLDER / FILE_NAME, without=_OF_THESE_PICTURES, model=models)
    if result.flagged:
        reasons = ", ".join(f"{name}: {count:,}" for name, count in result.flags.most_common())
        terminal.say(f"{result.flagged:,} of {result.masks:,} masks should be looked at ({reasons})")
    _leave(result, terminal)


def _share(text: str | None, terminal: Terminal) -> Shard:
    from lesionctl.predict.shard import Shard, shard_of_array

    if text:
        return Shard.parse(text).of_process(os.environ)
    share = shard_of_array(os.environ)
    if share.of > 1:
        terminal.warn(
            f"this is a task of a SLURM array: it does share {share.number} of {share.of} alone; --shard 1/1 does all"
        )
    return share.of_process(os.environ)


def _left_out(files: list[Path]) -> str:
    first, *more = files
    others = f" and {len(more):,} more are" if more else " is"
    return f"{first}{others} left out: this program writes such files (one that is named by itself is taken)"


def _leave(result: RunResult, terminal: Terminal) -> None:
    """Raise what the exit code is made of."""
    failed, interrupted = result.error, result.interruption
    if failed is not None and (interrupted is not None or "TORCHELASTIC_RUN_ID" in os.environ):
        # torchrun takes any exit code but 0 for a crash, and kills the other processes.
        terminal.warn(failed.what)
        failed = None
    if interrupted is not None:
        raise interrupted
    if failed is not None:
        raise failed
