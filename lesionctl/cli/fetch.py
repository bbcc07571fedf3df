"""`lesionctl fetch`: put sets of pictures on disk, and encoder weights into the cache."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionctl.cli.options import Json, flag, option, terminal_of
from lesionctl.cli.saved_config import save_config

if TYPE_CHECKING:
    from lesionctl.cli.terminal import Terminal
    from lesionctl.fetch.catalog import Catalog, FetchSet
    from lesionctl.fetch.haul import Haul


def fetch(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME[:PART]", help="Sets, or parts of them such as isic2018:train; see --list."),
    ] = None,
    to: Annotated[Path | None, option(metavar="DIR", help="Where the set goes. \\[default: the cache]")] = None,
    masks_only: Annotated[bool, flag("--masks-only", help="Leave the pictures out.")] = False,
    sources: Annotated[
        list[Path] | None,
        option(
            "--from",
            metavar="PATH",
            help="Take archives that you have, or a folder of them, packed or unpacked; nothing is downloaded.",
        ),
    ] = None,
    encoders: Annotated[
        list[str] | None,
        option(
            "--encoder",
            metavar="ENCODER",
            help="Put the weights of a timm encoder into the cache.",
        ),
    ] = None,
    listing: Annotated[bool, flag("--list", help="Show what can be fetched, and what is here.")] = False,
    catalog: Annotated[
        Path | None,
        option(
            metavar="FILE.toml",
            help="Another table of sets, such as a mirror's. \\[default: the one that comes with the program]",
        ),
    ] = None,
    drop_archives: Annotated[
        bool, flag("--drop-archives", help="Remove archives from the cache once they are unpacked.")
    ] = False,
    connections: Annotated[
        int, option(min=1, help="Files that are downloaded at once.", rich_help_panel="Network")
    ] = 4,
    retries: Annotated[
        int, option(min=0, help="New tries at an address that brings nothing.", rich_help_panel="Network")
    ] = 5,
    timeout: Annotated[
        float,
        option(
            min=0.1,
            metavar="SECONDS",
            help="Silence of a server before a new try, in seconds.",
            rich_help_panel="Network",
        ),
    ] = 30.0,
    count: Annotated[int, option(min=1, help="How many pictures to draw.", rich_help_panel="Of demo")] = 24,
    seed: Annotated[int, option(min=0, help="Same seed, same files.", rich_help_panel="Of demo")] = 0,
    as_json: Json = False,
) -> None:
    """Put sets of pictures with masks on disk, each file verified.

    What is there already is not fetched again, and a fetch that was stopped goes on where it was.

    Examples:
        # a few drawn pictures to try everything on
        lesionctl fetch demo --to demo
        # what there is, and what of it is here
        lesionctl fetch --list
        # parts of a set, into the cache
        lesionctl fetch isic2018:train isic2018:val
        # encoder weights for nodes without a network
        lesionctl fetch --encoder resnet34
    """
    from lesionctl.fetch.catalog import BUNDLED_CATALOG, load_catalog

    terminal = terminal_of(context)
    save_config(context)
    table = load_catalog(catalog or BUNDLED_CATALOG)
    if listing or not (names or encoders):
        _show_list(table, terminal, as_json=as_json)
        return

    from lesionctl.fetch.fetch import fetch as run
    from lesionctl.fetch.network.download import Policy
    from lesionctl.fetch.request import FetchOptions, parse_requests

    options = FetchOptions(
        to=to,
        masks_only=masks_only,
        sources=tuple(sources or ()),
        offline=terminal.offline,
        drop_archives=drop_archives,
        policy=Policy(connections, retries, timeout),
        count=count,
        seed=seed,
    )
    haul = run(parse_requests(table, names or []), options, encoders=encoders or [], progress=terminal)
    if as_json:
        terminal.json(_describe(haul))
    else:
        _show(haul, terminal)
    haul.raise_errors()


def _show_list(catalog: Catalog, terminal: Terminal, *, as_json: bool) -> None:
    from lesionctl.fetch.listing import cached_parts, describe
    from lesionctl.progress import format_bytes

    if as_json:
        terminal.json([describe(entry) for entry in catalog.values()])
        return
    columns = ["name", "train / val / test", "download", "on disk", "licence", "cached"]
    rows = []
    for entry in catalog.values():
        # The files of an archive take as much as the archive, which is kept.
        sizes = [format_bytes(entry.size), format_bytes(2 * entry.size)] if entry.size else ["?", "?"]
        cached = cached_parts(entry)
        here = ", ".join(state if part == "all" else f"{part} {state}" for part, state in cached.items())
        rows.append(
            [entry.name, _split_sizes(entry), *(sizes if entry.files else ["–", "–"]), entry.licence, here or "–"]
        )
    terminal.table("sets", columns, rows)


def _split_sizes(entry: FetchSet) -> str:
    if set(entry.splits) <= {"all"}:
        return str(entry.splits.get("all", "any"))
    return " / ".join(str(entry.splits.get(part, "–")) for part in ("train", "val", "test"))


def _show(haul: Haul, terminal: Terminal) -> None:
    for found in haul.sets:
        terminal.line(str(found.directory))
        terminal.say(f"{found.entry.title}: {found.images} pictures and {found.masks} masks")
        terminal.say(f"licence: {found.entry.licence}{found.entry.terms and f' ({found.entry.terms})'}")
        terminal.say(f"attribution: {found.entry.attribution}")
        for paper in found.entry.citation.splitlines():
            terminal.say(f"cite: {paper}")
    for encoder in haul.encoders:
        terminal.line(str(encoder.path))
        terminal.say(f"licence: {encoder.licence}; from {encoder.origin}")
        for paper in encoder.papers:
            terminal.say(f"cite: {paper}")


def _describe(haul: Haul) -> list[dict[str, object]]:
    sets: list[dict[str, object]] = [
        {
            "name": found.entry.name,
            "path": str(found.directory),
            "pictures": found.images,
            "masks": found.masks,
            "files": list(found.files),
            "licence": found.entry.licence,
            "attribution": found.entry.attribution,
            "citation": found.entry.citation,
        }
        for found in haul.sets
    ]
    return sets + [
        {
            "encoder": encoder.path.stem,
            "path": str(encoder.path),
            "licence": encoder.licence,
            "origin": encoder.origin,
            "papers": list(encoder.papers),
        }
        for encoder in haul.encoders
    ]
