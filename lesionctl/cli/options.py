"""Options that several subcommands share, and the Terminal that they all use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from lesionctl.cli.terminal import Terminal
from lesionctl.paths import DEFAULT_MODEL
from lesionctl.runtime.precision import Precision

Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.", rich_help_panel="Computing")]

PrecisionOption = Annotated[
    Precision,
    typer.Option(help="Number format; auto takes what the device is fastest in.", rich_help_panel="Computing"),
]

Model = Annotated[str, typer.Option(help="A model file, a run directory, or the name of a bundled model.")]

ModelArgument = Annotated[
    str, typer.Argument(help="A model file, a run directory, or the name of a bundled model.", metavar="[MODEL]")
]

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what stands there already.")]

OutFolder = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the result goes.")]

__all__ = ["DEFAULT_MODEL", "Device", "Json", "Model", "ModelArgument", "OutFolder", "Overwrite", "PrecisionOption"]


@dataclass(frozen=True)
class Session:
    """What the global options set up for every subcommand.

    Attributes:
        terminal: What a command says things through.
        debug: Whether errors come with their traceback.
    """

    terminal: Terminal
    debug: bool = False


def terminal_of(context: typer.Context) -> Terminal:
    """The Terminal of the command that is running."""
    session: Session = context.obj
    return session.terminal
