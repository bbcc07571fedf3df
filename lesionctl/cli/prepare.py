"""`lesionctl prepare`: from pictures with masks to a store."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionctl.cli.options import Json, OutFolder, Overwrite, flag, option, terminal_of
from lesionctl.cli.saved_config import FILE_NAME, save_config, write_config
from lesionctl.errors import SomeInputsFailed, UsageError
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.prepare.overlap import Overlap

if TYPE_CHECKING:
    from lesionctl.cli.terminal import Terminal
    from lesionctl.prepare.prepare import PrepareSummary

_PICTURES, _SPLIT = "Pictures and masks", "Split"


def prepare(
    context: typer.Context,
    out: OutFolder,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="Folders with images/ and masks/; CSV files with the columns image and mask; fetched sets, such as "
            "isic2018 or isic2018:train.",
        ),
    ] = None,
    images: Annotated[
        Path | None, option(metavar="DIR", help="A folder of pictures; with --masks.", rich_help_panel=_PICTURES)
    ] = None,
    masks: Annotated[
        Path | None, option(metavar="DIR", help="The folder of their masks.", rich_help_panel=_PICTURES)
    ] = None,
    size: Annotated[
        int, option(min=32, help="Side of the stored squares, in pixels.", rich_help_panel=_PICTURES)
    ] = 320,
    resize: Annotated[
        ResizeRule, option(help="How a picture becomes a square.", rich_help_panel=_PICTURES)
    ] = ResizeRule.SQUASH,
    binarise_at: Annotated[
        int | None,
        option(
            min=0,
            max=254,
            metavar="GREY",
            help="Take what is above this grey value of a mask, 0 to 255, as lesion. "
            "\\[default: refuse what is not binary]",
            rich_help_panel=_PICTURES,
        ),
    ] = None,
    html: Annotated[
        bool, flag("--html", help="Write audit.html: the findings with thumbnails.", rich_help_panel=_PICTURES)
    ] = False,
    metadata: Annotated[
        list[Path] | None,
        option(
            metavar="CSV",
            help="A table with a row per picture; a source's metadata.csv is read anyway.",
            rich_help_panel=_SPLIT,
        ),
    ] = None,
    group_by: Annotated[
        list[str] | None,
        option(
            metavar="COLUMN",
            help="Pictures that share its value stay in one split. \\[default: lesion_id, patient_id, group]",
            rich_help_panel=_SPLIT,
        ),
    ] = None,
    split: Annotated[
        str,
        option(metavar="N/N/N", help="Pictures to train, validate and test on, in per cent.", rich_help_panel=_SPLIT),
    ] = "70/10/20",
    folds: Annotated[
        int, option(help="Folds of a cross-validation over all that is not test; 0: none.", rich_help_panel=_SPLIT)
    ] = 0,
    resplit: Annotated[
        bool, flag("--resplit", help="Draw a new split where sets bring their own.", rich_help_panel=_SPLIT)
    ] = False,
    overlap: Annotated[
        Overlap,
        option(help="Where official splits share pictures: which side keeps them.", rich_help_panel=_SPLIT),
    ] = Overlap.REFUSE,
    seed: Annotated[int, option(min=0, help="Same seed, same split.", rich_help_panel=_SPLIT)] = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Make a store for training and scoring from pictures with masks.

    Files that cannot be used are named and left out, and the exit code is 3. The same picture, lesion or patient, and
    pictures that look the same, never stand on two sides of the split. A run that was killed goes on where it was.

    Examples:
        # a folder with images/ and masks/
        lesionctl prepare demo --out demo.store
        # folders that lie apart; a table says which pictures are of one lesion
        lesionctl prepare --images demo/images --masks demo/masks --metadata demo/metadata.csv --out own.store
        # fetched sets, test pictures left out of training, a page of findings
        lesionctl prepare isic2018 ham10000 --out isic.store --overlap test --html
    """
    from lesionctl.fetch.catalog import BUNDLED_CATALOG, load_catalog
    from lesionctl.prepare.prepare import PrepareOptions
    from lesionctl.prepare.prepare import prepare as run
    from lesionctl.prepare.sources import FolderSource, Source, find_source
    from lesionctl.prepare.split import Shares

    if (images is None) != (masks is None):
        raise UsageError("--images and --masks go together")
    sets = load_catalog(BUNDLED_CATALOG) if sources else {}
    found: list[Source] = [find_source(source, sets) for source in sources or []]
    if images is not None and masks is not None:
        found.append(FolderSource(images.resolve().name, None, images, masks))
    if not found:
        raise UsageError("there is nothing to prepare", hint="name a SOURCE, or --images DIR --masks DIR")
    options = PrepareOptions(
        size=size,
        resize=resize,
        binarise_at=binarise_at,
        shares=Shares.parse(split),
        folds=folds,
        seed=seed,
        resplit=resplit,
        overlap=overlap,
        metadata=tuple(metadata or ()),
        group_by=tuple(group_by or ()),
        page=html,
        overwrite=overwrite,
    )
    terminal = terminal_of(context)
    save_config(context)
    summary = run(found, out, options, terminal)
    write_config(context, out / FILE_NAME, without={"out", "overwrite"})
    if as_json:
        terminal.json(_describe(summary))
    else:
        _show(summary, terminal)
    if summary.left_out:
        raise SomeInputsFailed(summary.left_out, len(summary.samples) + len(summary.left_out))


def _describe(summary: PrepareSummary) -> dict[str, object]:
    from lesionctl.prepare.findings import count_findings

    return {
        "store": str(summary.store),
        "digest": summary.digest,
        "pairs": len(summary.samples),
        "groups": len({sample.group for sample in summary.samples}),
        "left_out": [{"path": str(failure.path), "reason": failure.reason} for failure in summary.left_out],
        "splits": Counter(str(sample.split) for sample in summary.samples),
        "folds": Counter(sample.fold for sample in summary.samples if sample.fold is not None),
        "findings": count_findings(summary.findings),
        "fingerprint": summary.fingerprint,
    }


def _show(summary: PrepareSummary, terminal: Terminal) -> None:
    from statistics import median

    from lesionctl.dataset.samples import Split
    from lesionctl.prepare.findings import count_findings

    rows = []
    for split in [*Split, None]:
        samples = [sample for sample in summary.samples if split in (None, sample.split)]
        if not samples:
            continue
        fractions = [sample.lesion_fraction for sample in samples]
        megapixels = [sample.height * sample.width / 1e6 for sample in samples]
        rows.append(
            [
                str(split or "all"),
                str(len(samples)),
                f"{len(samples) / len(summary.samples):.1%}",
                str(len({sample.group for sample in samples})),
                " / ".join(f"{of(megapixels):.2f}" for of in (min, median, max)),
                " / ".join(f"{of(fractions):.1%}" for of in (min, median, max)),
            ]
        )
    columns = ["split", "pairs", "share", "groups", "megapixels min / median / max", "lesion min / median / max"]
    terminal.table(f"{summary.store} (digest {summary.digest[:12]})", columns, rows)

    counts = count_findings(summary.findings)
    if counts:
        found = [[str(kind), str(count), kind.consequence] for kind, count in counts.items()]
        terminal.table("audit (more in audit.csv)", ["finding", "files", "consequence"], found)
    tones = summary.fingerprint["skin_tones"]
    if tones:
        share = ", ".join(f"{name} {count / sum(tones.values()):.0%}" for name, count in tones.items())
        terminal.say(f"estimated skin tones: {share}")
