"""Options that several subcommands share, and the Terminal that they all use."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lesionctl.cli.terminal import Terminal
from lesionctl.paths import DEFAULT_MODEL
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.precision import Precision

# Every option has its variable, LESIONCTL_<SUBCOMMAND>_<OPTION>: said once, in the README, instead of beside each.
option = partial(typer.Option, show_envvar=False)

# A flag takes no value, so there is none to name.
flag = partial(option, metavar="")

# What TAB offers for a value is read from its metavar, see lesionctl.cli.completion.values.
Device = Annotated[
    str, option(metavar="auto|cpu|cuda|cuda:N|mps", help="Where it is computed.", rich_help_panel="Computing")
]

PrecisionOption = Annotated[
    Precision,
    option(help="Number format; auto takes what the device is fastest in.", rich_help_panel="Computing"),
]

BackendOption = Annotated[
    Backend,
    option(
        help="What runs the network; auto takes the fastest that is installed for the device.",
        rich_help_panel="Computing",
    ),
]

Models = Annotated[
    list[str] | None,
    option(
        metavar="MODEL",
        help="A model file, a run or folds directory, or the name of a bundled model; several answer together. "
        f"\\[default: {DEFAULT_MODEL}]",
    ),
]

ModelArgument = Annotated[
    str, typer.Argument(help="A model file, a run directory, or the name of a bundled model.", metavar="[MODEL]")
]

Json = Annotated[bool, flag("--json", help="Print the result as JSON.")]

Overwrite = Annotated[bool, flag("--overwrite", help="Replace what stands there already.")]

OutFolder = Annotated[Path, option("--out", metavar="DIR", help="Where the result goes.")]


def terminal_of(context: typer.Context) -> Terminal:
    """The Terminal of the command that is running."""
    terminal: Terminal = context.obj
    return terminal
