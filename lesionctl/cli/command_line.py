"""From the words that are typed to the command that runs; what is wrong with them is said as all else is.

Typer parses; its own messages, which change from release to release, are never shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import typer

from lesionctl import config
from lesionctl.cli.documents.program import HELP_NAMES, Command, Parameter, describe
from lesionctl.cli.help import DescribedCommand, help_page
from lesionctl.cli.terminal import Terminal
from lesionctl.cli.usage_errors import explain, tell_origins, unknown_command
from lesionctl.errors import ExitCode, UsageError, did_you_mean
from lesionctl.paths import CACHE_VARIABLE

_OURS = "LESIONCTL_"
_OF_TESTS = "LESIONCTL_TEST_"
CONFIG_FILE = "lesionctl.config"
"""Where the context of the program keeps the configuration file that was read."""

# Recent releases of Typer bring a Click of their own: only what both have names what its parser raises.
_Complaint = cast(
    "type[Exception]", next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
)


class Subcommand(DescribedCommand):
    """A subcommand whose complaints about a value tell where the value came from, unless it was typed."""

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            command = next(one for one in the_program().commands if one.name == self.name)
            tell_origins(error, ctx, command, ctx.meta.get(CONFIG_FILE))
            raise


def build_tree(app: typer.Typer) -> Any:
    """Typer's own tree of commands, in which each option has the variable that the manual says."""
    tree = typer.main.get_command(app)
    program = describe(app)
    for command in (program, *program.commands):
        described = {option.names[-1]: option for option in command.options}
        own = tree if command is program else tree.commands[command.name]  # type: ignore[attr-defined]
        for parameter in own.params:
            option = next((described[name] for name in parameter.opts if name in described), None)
            if option is not None:
                parameter.envvar = option.variable or None
    return tree


def the_program() -> Command:
    """What can be typed, as plain data."""
    from lesionctl.cli.main import app  # which imports this module

    return describe(app)


def run(app: typer.Typer, words: Sequence[str], terminal: Terminal) -> None:
    """Do what is typed.

    Args:
        app: The program.
        words: What is typed after its name.
        terminal: What it speaks through.

    Raises:
        LesionctlError: Something is wrong.
        SystemExit: It ends early, having shown what was asked for.
    """
    program = describe(app)
    if _ask_for_help_alone(program, words):
        terminal.line(help_page(terminal, next((word for word in words if word not in HELP_NAMES), None)))
        raise SystemExit(ExitCode.DONE if words else ExitCode.USAGE)
    tree = build_tree(app)
    try:
        refuse_unknown_words(tree, program, words)
        with tree.make_context(program.name, list(words), obj=terminal) as context:
            warn_of_unknown_variables(program, os.environ, terminal)
            tree.invoke(context)
    except typer.Exit as end:
        raise SystemExit(end.exit_code) from end
    except _Complaint as complaint:
        raise explain(complaint, program, words) from complaint


def refuse_unknown_words(tree: Any, program: Command, words: Sequence[str]) -> None:
    """Say that a command or an option is unknown before values are read, for which Typer loads much.

    Raises:
        UsageError: There is no such command.
        Exception: There is no such option: Typer's own complaint.
    """
    context = typer.Context(tree, info_name=program.name, **tree.context_settings)
    left = tree.make_parser(context).parse_args(list(words))[1]
    if left:
        command = tree.commands.get(left[0])
        if command is None:
            raise unknown_command(left[0], program)
        command.make_parser(typer.Context(command, parent=context, info_name=left[0])).parse_args(left[1:])


def read_configuration(context: typer.Context, file: Path) -> None:
    """Take the defaults of all parameters from a file.

    Raises:
        BadFile: It cannot be read or is no TOML.
        UsageError: It says what nobody understands.
    """
    program = the_program()
    known = {command.name: _by_key((*command.options, *command.arguments)) for command in program.commands}
    of_program = _by_key(option for option in program.options if option.variable and option.key != "config")
    context.default_map = config.read_config(file, known, of_program)
    context.meta[CONFIG_FILE] = file


def warn_of_unknown_variables(program: Command, environment: Mapping[str, str], terminal: Terminal) -> None:
    """Name the variables that begin as the program's own and are none of them: they were meant to do something."""
    known = [option.variable for command in (program, *program.commands) for option in command.options]
    known = [CACHE_VARIABLE, *filter(None, known)]
    for name in sorted(environment):
        if name.startswith(_OURS) and not name.startswith(_OF_TESTS) and name not in known:
            hint = did_you_mean(name, known, otherwise="see: lesionctl help environment", at_least=0.8)
            terminal.warn(f"the variable {name} has no effect: {hint}")


def _ask_for_help_alone(program: Command, words: Sequence[str]) -> bool:
    """Whether help is all that is wanted: no variable or file can then be in its way, and it is quick."""
    others = [word for word in words if word not in HELP_NAMES]
    return not others or (len(others) == 1 < len(words) and others[0] in {one.name for one in program.commands})


def _by_key(parameters: Iterator[Parameter] | Sequence[Parameter]) -> dict[str, config.Parameter]:
    return {parameter.key: parameter.as_setting() for parameter in parameters if parameter.key}
