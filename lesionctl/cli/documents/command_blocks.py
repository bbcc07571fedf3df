"""What there is to say of a command: its synopsis, arguments, options by their groups, and examples."""

from __future__ import annotations

from collections.abc import Iterator

from lesionctl.cli.documents.blocks import NO_BREAK, Block, Heading, Item, Paragraph
from lesionctl.cli.documents.program import Command, Parameter


def synopsis(program: Command, command: Command) -> str:
    """How a subcommand, or the program itself, is typed."""
    words = [f"`{program.name}`", *([] if command is program else [f"`{command.name}`"]), "[*OPTION*]..."]
    words += [term(option, short=False) for option in command.options if option.required]
    words += ["*COMMAND* [*ARGUMENT*]..."] if command.commands else map(_argument, command.arguments)
    return " ".join(words)


def description(command: Command) -> Iterator[Block]:
    """What it does."""
    yield from map(Paragraph, command.paragraphs)


def arguments(command: Command) -> Iterator[Block]:
    """What is typed without a name."""
    if command.arguments:
        yield Heading("Arguments")
    for argument in command.arguments:
        yield Item(value(argument), _about(argument))


def options(command: Command) -> Iterator[Block]:
    """What is typed with a name: those of no group first."""
    panels: dict[str, list[Parameter]] = {"": []}
    for option in command.options:
        panels.setdefault(option.panel, []).append(option)
    yield Heading("Options")
    for panel, members in panels.items():
        if panel:
            yield Heading(panel, lower=True)
        for option in members:
            yield Item(term(option), _about(option))


def examples(command: Command) -> Iterator[Block]:
    """What can be typed as it stands."""
    if command.examples:
        yield Heading("Examples")
    yield from command.examples


def term(option: Parameter, *, short: bool = True) -> str:
    """The names of an option, and what stands for its value."""
    names = ", ".join(f"`{name}`" for name in (option.names if short else option.names[-1:]))
    return names if option.is_flag else f"{names} {value(option)}"


def value(parameter: Parameter) -> str:
    """The metavar: its capitals stand for something, all else is typed as it is."""
    return " ".join("|".join(map(_mark, word.split("|"))) for word in parameter.metavar.split())


def _mark(word: str) -> str:
    return f"`{word}`" if word == word.lower() else f"*{word}*"


def _argument(argument: Parameter) -> str:
    shown = value(argument)
    if argument.several and "..." not in argument.metavar:
        shown += "..."
    return shown if argument.required or "[" in argument.metavar[:1] else f"[{shown}]"


def _about(parameter: Parameter) -> tuple[str, ...]:
    """The help, and what else there is to know."""
    notes = []
    if parameter.required and parameter.names:
        notes.append("Required.")
    if parameter.several and parameter.names:
        notes.append("It can be repeated.")
    if parameter.lowest is not None and parameter.highest is not None:
        notes.append(f"From {parameter.lowest:g} to {parameter.highest:g}.")
    elif parameter.lowest is not None:
        notes.append(f"At least {parameter.lowest:g}.")
    if parameter.default:
        notes.append(f"Default:{NO_BREAK}{parameter.default}.")
    return (parameter.help, *([" ".join(notes)] if notes else []))
