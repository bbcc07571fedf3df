"""The app, the global options, and the one place where an error becomes an exit code."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from lesionctl import __version__
from lesionctl.cli.bench import bench
from lesionctl.cli.command_line import Subcommand, read_configuration, run
from lesionctl.cli.completion.answer import ASKED_BY_A_SHELL, answer
from lesionctl.cli.completion.scripts import Shell
from lesionctl.cli.documents.program import describe
from lesionctl.cli.eval import evaluate
from lesionctl.cli.export import export
from lesionctl.cli.fetch import fetch
from lesionctl.cli.help import DescribedGroup, show_help
from lesionctl.cli.options import flag, option, terminal_of
from lesionctl.cli.predict import predict
from lesionctl.cli.prepare import prepare
from lesionctl.cli.start import ending
from lesionctl.cli.terminal import Colour, Terminal
from lesionctl.cli.train import train
from lesionctl.errors import ExitCode, LesionctlError, UsageError
from lesionctl.paths import user_config_file

app = typer.Typer(
    name="lesionctl",
    cls=DescribedGroup,
    help="""Find the outline of a skin lesion in dermoscopic photographs.

    For research; not a medical device.

    Examples:
        # draw a few pictures to try it on
        lesionctl fetch demo --to demo
        # find the lesions in them
        lesionctl predict demo/images --out masks --overlay
    """,
    add_completion=False,  # lesionctl.cli.completion: files by their kinds, and one start of the program for each TAB
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("fetch", cls=Subcommand)(fetch)
app.command("prepare", cls=Subcommand)(prepare)
app.command("train", cls=Subcommand)(train)
app.command("eval", cls=Subcommand)(evaluate)
app.command("predict", cls=Subcommand)(predict)
app.command("export", cls=Subcommand)(export)
app.command("bench", cls=Subcommand)(bench)
app.command("help", cls=Subcommand)(show_help)


def _show_version(wanted: bool) -> None:
    if wanted:
        Terminal().line(f"lesionctl {__version__}")
        raise typer.Exit


def _configure(context: typer.Context, file: Path | None) -> Path | None:
    file = file or (user_config_file() if user_config_file().is_file() else None)
    if file is not None:
        read_configuration(context, file)
    return file


def _choose_colour(context: typer.Context, choice: Colour) -> Colour:
    terminal_of(context).choose_colour(choice)
    return choice


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
    _config: Annotated[
        Path | None,
        option(
            "--config",
            metavar="FILE",
            callback=_configure,
            is_eager=True,  # what it says of the other global options counts
            help="TOML with a table per subcommand: defaults for its options.",
        ),
    ] = None,
    _save_config: Annotated[
        Path | None,
        option("--save-config", metavar="FILE", help="Write all options, defaults too, in the form of --config."),
    ] = None,
    offline: Annotated[bool, flag("--offline", help="Never open a network connection.")] = False,
    quiet: Annotated[bool, flag("--quiet", "-q", help="Show results, warnings and errors only.")] = False,
    verbose: Annotated[
        bool, flag("--verbose", "-v", help="Show what is chosen, how long it takes, and libraries' warnings too.")
    ] = False,
    debug: Annotated[bool, flag("--debug", help="Show the traceback of an error.")] = False,
    _colour: Annotated[
        Colour,
        option(
            "--color",
            callback=_choose_colour,
            is_eager=True,
            help="When to colour; auto: on a terminal, unless NO_COLOR is set.",
        ),
    ] = Colour.AUTO,
    log_file: Annotated[
        Path | None, option(metavar="FILE", help="Append all that --verbose would show to this file, with the time.")
    ] = None,
    _version: Annotated[
        bool,
        flag(
            "--version",
            callback=_show_version,
            is_eager=True,
            allow_from_autoenv=False,
            help="Show the version and exit.",
        ),
    ] = False,
    _install: Annotated[
        bool,
        flag(
            "--install-completion",
            callback=_install_completion,
            is_eager=True,
            allow_from_autoenv=False,
            help="Let TAB complete the program's words in the shell in use, and exit.",
        ),
    ] = False,
    _show: Annotated[
        Shell | None,
        option(
            "--show-completion",
            callback=_show_completion,
            is_eager=True,
            allow_from_autoenv=False,
            help="Print a shell's script for it.",
        ),
    ] = None,
) -> None:
    """Set up what every subcommand uses; a value typed beats a variable, which beats a file."""
    terminal = terminal_of(context)
    if quiet and verbose:
        raise UsageError("--quiet and --verbose exclude each other")
    terminal.quiet, terminal.verbose, terminal.debug, terminal.offline = quiet, verbose, debug, offline
    if log_file is not None:
        terminal.open_log(log_file)
    if not debug:  # libraries warn of what their authors should mend; a person is told by this program alone
        terminal.hear_libraries()
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"


def main() -> None:
    """Run the program and leave with its exit code."""
    with Terminal() as terminal:  # which ends a log file with that code
        _run(terminal)


def _run(terminal: Terminal) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name that is no text leaves as it came
        sys.stdout.reconfigure(errors="surrogateescape")
    try:
        if ASKED_BY_A_SHELL in os.environ:
            for line in answer(describe(app), sys.argv[1:]):
                terminal.line(line)
            return
        run(app, sys.argv[1:], terminal)
    except LesionctlError as error:
        terminal.error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        terminal.error(LesionctlError(ending.what()))
        sys.exit(ending.code())
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.SIGPIPE)
    except OSError as error:  # a disk that is full, a folder that may not be written to
        terminal.error(LesionctlError(f"{error.filename or 'a file'}: {error.strerror or error}"))
        sys.exit(ExitCode.FAILED)
    except Exception as error:  # noqa: BLE001 - whatever is left is a fault of the program, and is said so
        if ending.number is not None:  # an import that is interrupted may raise anything
            terminal.error(LesionctlError(ending.what()))
            sys.exit(ending.code())
        what = f"{type(error).__name__}: {error}"
        terminal.error(LesionctlError(what, hint="this is a fault of lesionctl; --debug shows where"))
        sys.exit(ExitCode.FAILED)
