"""The app, the global options, and the one place where an error becomes an exit code."""

from __future__ import annotations

import io
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from lesionctl import __version__
from lesionctl.cli.bench import bench
from lesionctl.cli.completion.answer import ASKED_BY_A_SHELL, answer
from lesionctl.cli.completion.scripts import Shell
from lesionctl.cli.documents.program import describe
from lesionctl.cli.eval import evaluate
from lesionctl.cli.export import export
from lesionctl.cli.fetch import fetch
from lesionctl.cli.options import flag, option, terminal_of
from lesionctl.cli.predict import predict
from lesionctl.cli.prepare import prepare
from lesionctl.cli.terminal import Terminal
from lesionctl.cli.train import train
from lesionctl.config import Parameter, read_config
from lesionctl.errors import ExitCode, LesionctlError
from lesionctl.paths import user_config_file

app = typer.Typer(
    name="lesionctl",
    help="Find the outline of a skin lesion in dermoscopic photographs.\n\nFor research; not a medical device.",
    no_args_is_help=True,
    add_completion=False,  # lesionctl.cli.completion: files by their kinds, and one start of the program for each TAB
    pretty_exceptions_enable=False,
    context_settings={"auto_envvar_prefix": "LESIONCTL", "help_option_names": ["-h", "--help"]},
)
app.command("fetch")(fetch)
app.command("prepare")(prepare)
app.command("train")(train)
app.command("eval")(evaluate)
app.command("predict")(predict)
app.command("export")(export)
app.command("bench")(bench)


def _show_version(wanted: bool) -> None:
    if wanted:
        Terminal().line(f"lesionctl {__version__}")
        raise typer.Exit


def _show_completion(shell: Shell | None) -> None:
    if shell is not None:
        Terminal().line(shell.script.rstrip("\n"))
        raise typer.Exit


def _install_completion(wanted: bool) -> None:
    if wanted:
        from lesionctl.cli.completion.install import install, shell_in_use

        shell = shell_in_use()
        script, start = install(shell)
        terminal = Terminal()
        terminal.line(str(script))
        terminal.say(f"{shell} completes lesionctl from its next start on{f', told by {start}' if start else ''}")
        raise typer.Exit


@app.callback()
def global_options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        option(metavar="FILE", help="TOML with a table per subcommand: defaults for its options."),
    ] = None,
    offline: Annotated[bool, flag("--offline", help="Never open a network connection.")] = False,
    quiet: Annotated[bool, flag("--quiet", "-q", help="Show results, warnings and errors only.")] = False,
    debug: Annotated[bool, flag("--debug", help="Show the traceback of an error.")] = False,
    _version: Annotated[
        bool, flag("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    _install: Annotated[
        bool,
        flag(
            "--install-completion",
            callback=_install_completion,
            is_eager=True,
            help="Let TAB complete the program's words in the shell in use, and exit.",
        ),
    ] = False,
    _show: Annotated[
        Shell | None,
        option("--show-completion", callback=_show_completion, is_eager=True, help="Print a shell's script for it."),
    ] = None,
) -> None:
    """Set up what every subcommand uses; a value typed beats a variable, which beats a file."""
    terminal = terminal_of(context)
    terminal.quiet, terminal.debug, terminal.offline = quiet, debug, offline
    if not debug:  # libraries warn of what their authors should mend; a person is told by this program alone
        warnings.simplefilter("ignore")
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    file = config or (user_config_file() if user_config_file().is_file() else None)
    if file is not None:
        context.default_map = read_config(file, _known_parameters(context))


def _known_parameters(context: typer.Context) -> dict[str, dict[str, Parameter]]:
    """The parameters of each subcommand by their keys in a configuration file: `--batch-size` is `batch_size`."""
    return {
        name: {
            parameter.opts[0].lstrip("-").replace("-", "_"): Parameter(
                parameter.name, getattr(parameter, "multiple", False) or parameter.nargs != 1
            )
            for parameter in command.params
        }
        for name, command in context.command.commands.items()  # type: ignore[attr-defined]
    }


def main() -> None:
    """Run the program and leave with its exit code."""
    terminal = Terminal()
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name that is no text leaves as it came
        sys.stdout.reconfigure(errors="surrogateescape")
    try:
        if ASKED_BY_A_SHELL in os.environ:
            for line in answer(describe(app), sys.argv[1:]):
                terminal.line(line)
            return
        app(obj=terminal)
    except LesionctlError as error:
        terminal.error(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.FAILED)
    except OSError as error:  # a disk that is full, a folder that may not be written to
        terminal.error(LesionctlError(f"{error.filename or 'a file'}: {error.strerror or error}"))
        sys.exit(ExitCode.FAILED)
    except Exception as error:  # noqa: BLE001 - whatever is left is a fault of the program, and is said so
        what = f"{type(error).__name__}: {error}"
        terminal.error(LesionctlError(what, hint="this is a fault of lesionctl; --debug shows where"))
        sys.exit(ExitCode.FAILED)
