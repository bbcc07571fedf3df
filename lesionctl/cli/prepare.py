"""`lesionctl prepare`: from folders of pictures and masks to a store."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionctl.cli.options import Json, OutFolder, Overwrite, option, terminal_of
from lesionctl.errors import SomeInputsFailed, UsageError
from lesionctl.imaging.resize_rule import ResizeRule

if TYPE_CHECKING:
    from lesionctl.cli.terminal import Terminal
    from lesionctl.prepare.prepare import PrepareSummary


def prepare(
    context: typer.Context,
    out: OutFolder,
    sources: Annotated[
        list[Path] | None, typer.Argument(metavar="SOURCE...", help="Folders that hold images/ and masks/.")
    ] = None,
    images: Annotated[Path | None, option(metavar="DIR", help="A folder of pictures; with --masks.")] = None,
    masks: Annotated[Path | None, option(metavar="DIR", help="The folder of their masks.")] = None,
    metadata: Annotated[
        list[Path] | None,
        option(metavar="CSV", help="A table with a row per picture; a source's metadata.csv is read anyway."),
    ] = None,
    group_by: Annotated[
        list[str] | None,
        option(metavar="COLUMN", help="Pictures that share its value stay in one split. [lesion_id, patient_id]"),
    ] = None,
    size: Annotated[int, option(min=32, help="Side of the stored squares, in pixels.")] = 320,
    resize: Annotated[ResizeRule, option(help="How a picture becomes a square.")] = ResizeRule.SQUASH,
    split: Annotated[str, option(help="Per cent of pictures to train, validate and test on.")] = "70/10/20",
    seed: Annotated[int, option(min=0, help="Same seed, same split.")] = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Make a store for training and scoring from folders of pictures and masks.

    Pictures and masks are paired by name; files that cannot be used are named and left out, and the exit code is 3.
    Pictures of the same lesion or patient never stand on two sides of the split.

    Example: lesionctl prepare demo --out demo.store
    """
    from lesionctl.prepare.prepare import PrepareOptions
    from lesionctl.prepare.prepare import prepare as run
    from lesionctl.prepare.sources import Source
    from lesionctl.prepare.split import Shares

    if (images is None) != (masks is None):
        raise UsageError("--images and --masks go together")
    found = [Source.from_folder(folder) for folder in sources or []]
    if images is not None and masks is not None:
        found.append(Source(images.resolve().name, images, masks))
    if not found:
        raise UsageError("there is nothing to prepare", hint="name a SOURCE folder, or --images DIR --masks DIR")
    options = PrepareOptions(
        size=size,
        resize=resize,
        shares=Shares.parse(split),
        seed=seed,
        metadata=tuple(metadata or ()),
        group_by=tuple(group_by or ()),
        overwrite=overwrite,
    )
    terminal = terminal_of(context)
    summary = run(found, out, options, terminal)
    if as_json:
        terminal.json(_describe(summary))
    else:
        _show(summary, terminal)
    if summary.left_out:
        raise SomeInputsFailed(summary.left_out, len(summary.samples) + len(summary.left_out))


def _describe(summary: PrepareSummary) -> dict[str, object]:
    return {
        "store": str(summary.store),
        "digest": summary.digest,
        "pairs": len(summary.samples),
        "left_out": [{"path": str(failure.path), "reason": failure.reason} for failure in summary.left_out],
        "splits": Counter(str(sample.split) for sample in summary.samples),
    }


def _show(summary: PrepareSummary, terminal: Terminal) -> None:
    from lesionctl.dataset.samples import Split

    rows = []
    for split in [*Split, None]:
        samples = [sample for sample in summary.samples if split in (None, sample.split)]
        if not samples:
            continue
        fractions = sorted(sample.lesion_fraction for sample in samples)
        pixels = sorted(sample.height * sample.width / 1e6 for sample in samples)
        rows.append(
            [
                str(split or "all"),
                str(len(samples)),
                str(len({sample.group for sample in samples})),
                f"{pixels[0]:.2f} / {pixels[len(pixels) // 2]:.2f} / {pixels[-1]:.2f}",
                f"{fractions[0]:.1%} / {fractions[len(fractions) // 2]:.1%} / {fractions[-1]:.1%}",
            ]
        )
    columns = ["split", "pairs", "groups", "megapixels min / median / max", "lesion min / median / max"]
    terminal.table(f"{summary.store} ({len(summary.left_out)} files left out)", columns, rows)
