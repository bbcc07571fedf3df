"""`lesionctl help`, and what `--help` shows: both from what the program says of itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from lesionctl.cli.documents.blocks import Block, Heading, Item, Paragraph
from lesionctl.cli.documents.command_blocks import arguments, description, examples, options, synopsis
from lesionctl.cli.documents.on_terminal import set_for_terminal
from lesionctl.cli.documents.program import Command, describe
from lesionctl.cli.options import terminal_of
from lesionctl.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from lesionctl.cli.terminal import Terminal


def show_help(
    context: typer.Context,
    topic: Annotated[
        str | None, typer.Argument(metavar="[TOPIC|COMMAND]", help="What to read about; without it, what there is.")
    ] = None,
) -> None:
    """Show what there is to read, a topic, or the help of a command.

    The same stands in the manual: `man lesionctl-formats`, `man lesionctl-predict`.

    Examples:
        # the topics
        lesionctl help
        # what is read and written, and each column of the tables
        lesionctl help formats
        # the same as lesionctl predict --help
        lesionctl help predict
    """
    program = _program()
    terminal = terminal_of(context)
    terminal.line(_set(_find(program, topic) if topic else _contents(program), terminal))


class DescribedCommand(TyperCommand):
    """A subcommand whose `--help` is set by this program."""

    def get_help(self, ctx: Any) -> str:
        """What `--help` shows."""
        return _help_of(ctx, ctx.info_name)


class DescribedGroup(TyperGroup):
    """The program, likewise."""

    def get_help(self, ctx: Any) -> str:
        """What `--help` shows."""
        return _help_of(ctx, None)


def help_page(terminal: Terminal, name: str | None) -> str:
    """What `--help` shows of a subcommand, or of the program."""
    program = _program()
    return _set(_about_program(program) if name is None else _about_command(program, name), terminal)


def _help_of(context: typer.Context, name: str | None) -> str:
    context.color = True  # whether there are escape sequences is decided here
    return help_page(terminal_of(context), name)


def _program() -> Command:
    from lesionctl.cli.main import app  # which imports this module for its command

    return describe(app)


def _set(blocks: Iterable[Block], terminal: Terminal) -> str:
    return set_for_terminal(blocks, shutil.get_terminal_size().columns, styled=terminal.is_coloured)


def _find(program: Command, name: str) -> Iterable[Block]:
    from lesionctl.cli.documents.topics import TOPICS

    if name in TOPICS:
        topic = TOPICS[name]
        return [Heading(f"{program.name} {name}"), Paragraph(topic.summary), *topic.blocks(program)]
    commands = [command.name for command in program.commands]
    if name in commands:
        return _about_command(program, name)
    raise UsageError(f"there is no topic and no command '{name}'", hint=did_you_mean(name, [*TOPICS, *commands]))


def _contents(program: Command) -> Iterator[Block]:
    yield Paragraph(
        f"Usage: `{program.name} help` *TOPIC* shows a topic, `{program.name} help` *COMMAND* a command's help."
    )
    yield Heading("Topics")
    yield from _topics()
    yield Heading("Commands")
    yield from _commands(program)


def _topics() -> Iterator[Block]:
    from lesionctl.cli.documents.topics import TOPICS

    return (Item(f"`{topic.name}`", (topic.summary,)) for topic in TOPICS.values())


def _commands(program: Command) -> Iterator[Block]:
    return (Item(f"`{command.name}`", (command.summary,)) for command in program.commands)


def _about_program(program: Command) -> Iterator[Block]:
    yield Paragraph(f"Usage: {synopsis(program, program)}")
    yield from description(program)
    yield Heading("Commands")
    yield from _commands(program)
    yield Heading(f"Topics of {program.name} help")
    yield from _topics()
    yield from options(program)
    yield from examples(program)


def _about_command(program: Command, name: str) -> Iterator[Block]:
    command = next(command for command in program.commands if command.name == name)
    yield Paragraph(f"Usage: {synopsis(program, command)}")
    yield from description(command)
    yield from arguments(command)
    yield from options(command)
    yield from examples(command)
