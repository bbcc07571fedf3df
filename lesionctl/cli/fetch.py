"""`lesionctl fetch`: put a set of pictures on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lesionctl.cli.options import Json, flag, option, terminal_of


def fetch(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="What to fetch; see --list.")] = None,
    to: Annotated[Path | None, option(metavar="DIR", help="Where it goes; by default its name, here.")] = None,
    listing: Annotated[bool, flag("--list", help="Show what can be fetched.")] = False,
    count: Annotated[int, option(min=1, help="demo: how many pictures to draw.", rich_help_panel="demo")] = 24,
    seed: Annotated[int, option(min=0, help="demo: same seed, same files.", rich_help_panel="demo")] = 0,
    as_json: Json = False,
) -> None:
    """Put a set of pictures with masks on disk.

    Example: lesionctl fetch demo --to demo
    """
    from lesionctl.fetch.catalog import CATALOG, find_set

    terminal = terminal_of(context)
    if listing or not names:
        if as_json:
            terminal.json([entry.to_dict() for entry in CATALOG])
        else:
            rows = [[entry.name, entry.contents, entry.licence] for entry in CATALOG]
            terminal.table("sets", ["name", "what it holds", "licence"], rows)
        return
    for name in names:
        entry = find_set(name)
        summary = entry.fetch(to or Path(entry.name), count=count, seed=seed, progress=terminal)
        if as_json:
            terminal.json({"name": name, "path": str(summary.directory), "pictures": summary.pictures})
        else:
            terminal.line(str(summary.directory))
        terminal.say(f"{summary.pictures} pictures with masks; licence: {entry.licence}")
