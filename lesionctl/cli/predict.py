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
from lesionctl.errors import Failure, Interrupted, SomeInputsFailed, UsageError
from lesionctl.imaging.mask_form import MaskForm
from lesionctl.paths import DEFAULT_MODEL
from lesionctl.progress import track
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.precision import Precision

if TYPE_CHECKING:
    from lesionctl.cli.terminal import Terminal
    from lesionctl.predict.collect import Collection

_inputs = partial(option, rich_help_panel="Pictures")
_outputs = partial(option, rich_help_panel="What is written")
_output_flag = partial(flag, rich_help_panel="What is written")
_bulk = partial(option, rich_help_panel="Many pictures")
_computing = partial(option, rich_help_panel="Computing")


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
        _inputs(min=1, help="Refuse a picture that claims more pixels. \\[default: 300000000]", show_default=False),
    ] = None,
    mask_format: Annotated[
        MaskForm, _outputs(help="Bits of a mask's pixel; both are black and white.")
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
    batch_size: Annotated[int, _computing(min=1, help="Pictures per run of the network.")] = 8,
    backend: BackendOption = Backend.AUTO,
    device: Device = "auto",
    precision: PrecisionOption = Precision.AUTO,
) -> None:
    """Write a mask of its own size for each picture: OUT/<stem>_segmentation.png, 255 on the lesion.

    The same command goes on where it was interrupted. Pictures that cannot be used are named at the end, the rest are
    done, and the exit code is 3.

    Example: lesionctl predict scans/*.jpg --out masks --overlay

    Example: find scans -name '*.jpg' -print0 | lesionctl predict - -0 --out masks --csv masks.csv
    """
    if overwrite and skip_existing:
        raise UsageError("--overwrite and --skip-existing exclude each other")
    if not inputs and files_from is None:
        raise UsageError("there is nothing to do", hint="name pictures, folders or patterns, or --files-from FILE")

    from lesionctl.atomic import remove_leftovers
    from lesionctl.dataset.inputs import find_inputs
    from lesionctl.imaging.opening import MAX_PIXELS
    from lesionctl.predict.collect import Collection
    from lesionctl.predict.jobs import Outputs, plan_jobs
    from lesionctl.predict.manifest import Existing, Manifest, recipe_of
    from lesionctl.predict.predict import predict as run
    from lesionctl.predict.shard import Shard, shard_of_array
    from lesionctl.runtime.load import load_segmenter
    from lesionctl.runtime.stop import listen_for_stop
    from lesionctl.runtime.world import device_of_process, find_world

    terminal = terminal_of(context)
    share = (Shard.parse(shard) if shard else shard_of_array(os.environ)).of_process(os.environ)
    existing = Existing.OVERWRITE if overwrite else Existing.REPLACE if skip_existing else Existing.REFUSE
    found = find_inputs(inputs or [], recursive=recursive, files_from=files_from, null=null)
    jobs = plan_jobs(found, out, Outputs(overlay, probabilities))
    if share.of > 1:
        jobs = [job for job in jobs if share.holds(job.place)]
        terminal.say(f"share {share.number} of {share.of}: {len(jobs):,} of {len(found):,} pictures")

    world = find_world(os.environ)
    if world is not None:
        device = device_of_process(device, world.local_rank, world.size)
    segmenter = load_segmenter(model or DEFAULT_MODEL, device, precision, backend, pictures=len(jobs))
    if tta:
        from lesionctl.runtime.views import DihedralSegmenter

        segmenter = DihedralSegmenter(segmenter)
    recipe = recipe_of(segmenter.digest, segmenter.spec.threshold, segmenter.spec.postprocess, tta, mask_format)
    files = [file and share.name(file) for file in (csv, polygons, contact_sheet)]
    failures = []
    with Manifest(out, recipe, share) as manifest, listen_for_stop() as stop:
        remove_leftovers(file for job in jobs for file in job.files)
        done = manifest.done(jobs, existing)
        if done:
            terminal.say(f"{len(done):,} of {len(jobs):,} masks are there already")
        with Collection(csv=files[0], polygons=files[1], contact_sheet=files[2]) as collection:
            collection.forget([job for job in jobs if job.mask not in done])
            outcomes = run(
                segmenter,
                jobs,
                collection.wishes(mask_format, measures=jsonl),
                done=done,
                manifest=manifest,
                stop=lambda: bool(stop),
                batch_size=batch_size,
                max_pixels=max_pixels or MAX_PIXELS,
            )
            seen = 0
            for outcome in track(terminal, outcomes, "segmenting", len(jobs)):
                seen += 1
                if isinstance(outcome, Failure):
                    failures.append(outcome)
                    continue
                collection.add(outcome)
                if jsonl:
                    terminal.json(outcome.prediction.to_dict(), indent=None)
                else:
                    terminal.line(str(outcome.prediction.mask))
    _say_what_to_look_at(collection, seen - len(failures), terminal)
    if stop and seen < len(jobs):
        if failures:
            terminal.warn(SomeInputsFailed(failures, seen).what)
        raise Interrupted(
            f"stopped by {stop.signal}: {seen - len(failures):,} of {len(jobs):,} pictures have their masks",
            hint="the same command goes on",
        )
    if failures:
        raise SomeInputsFailed(failures, len(jobs))


def _say_what_to_look_at(collection: Collection, masks: int, terminal: Terminal) -> None:
    if collection.flagged:
        reasons = ", ".join(f"{name}: {count:,}" for name, count in collection.flags.most_common())
        terminal.say(f"{collection.flagged:,} of {masks:,} masks should be looked at ({reasons})")
