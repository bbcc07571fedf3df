"""What a command was asked for, all defaults included, in the form that `--config` takes back."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lesionctl import __version__
from lesionctl.cli.command_line import the_program
from lesionctl.errors import LesionctlError

if TYPE_CHECKING:
    from lesionctl.train.options import TrainOptions

FILE_NAME = "config.toml"


def save_config(context: typer.Context, **resolved: Any) -> None:
    """Write the configuration of the command that runs where `--save-config` wants it.

    Args:
        context: Of the command.
        resolved: Values that are not those of the parameter of this name, but what was made of it.

    Raises:
        LesionctlError: The file cannot be written.
    """
    file = _chosen_file(context)
    if file is not None:
        with _naming(file):
            write_config(context, file, **resolved)


def save_training(context: typer.Context, store: Path, options: TrainOptions, folds: int | None) -> None:
    """The same for a training, of which options that depend on others are known by now, and a plan's are made.

    Args:
        context: Of the command.
        store: What it trains on.
        options: How.
        folds: How many folds it trains; None: one run.

    Raises:
        LesionctlError: The file cannot be written.
    """
    file = _chosen_file(context)
    if file is not None:
        from lesionctl.train.record.config import write_config as write

        with _naming(file):
            write(file, store, options, [], folds)


def write_config(context: typer.Context, file: Path, without: Collection[str] = (), **resolved: Any) -> None:
    """Write the configuration of the command that runs: each parameter that has a value.

    Args:
        context: Of the command.
        file: Its directory must exist.
        without: Names of parameters to leave out.
        resolved: See `save_config`.

    Raises:
        OSError: The file cannot be written.
    """
    import tomli_w

    from lesionctl.atomic import write_text

    command = next(one for one in the_program().commands if one.name == context.info_name)
    known = {**context.params, **resolved}
    values = {
        parameter.key: _as_toml(known[parameter.argument])
        for parameter in (*command.arguments, *command.options)
        if parameter.argument not in without and known.get(parameter.argument) not in (None, [], ())
    }
    head = f"# lesionctl {__version__}; to do the same again: lesionctl --config {FILE_NAME} {command.name} …\n"
    write_text(file, head + tomli_w.dumps({command.name: values}))


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LesionctlError(f"{file} cannot be written ({error.strerror})", hint="name another file") from error


def _chosen_file(context: typer.Context) -> Path | None:
    file: Path | None = context.find_root().params["_save_config"]
    return file


def _as_toml(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_as_toml(one) for one in value]
    if isinstance(value, (bool, int, float)):
        return value
    from lesionctl.atomic import escape_undecodable

    return escape_undecodable(str(value.value if isinstance(value, Enum) else value))
