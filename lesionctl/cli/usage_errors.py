"""What is wrong with the words that were typed, in the program's own words: what, where, and what to type instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lesionctl import config
from lesionctl.cli.documents.blocks import spans
from lesionctl.cli.documents.command_blocks import synopsis
from lesionctl.cli.documents.program import Command, Parameter
from lesionctl.errors import LesionctlError, UsageError, did_you_mean

_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
_TYPED, _VARIABLE, _FILE = "COMMANDLINE", "ENVIRONMENT", "DEFAULT_MAP"


def explain(complaint: Any, program: Command, words: Sequence[str]) -> LesionctlError:
    """What Typer's parser found, as an error of this program.

    Args:
        complaint: What it raised: a `ClickException`.
        program: What can be typed.
        words: What was typed after the program's name.
    """
    if hasattr(complaint, "option_name"):
        return _bad_option(complaint.option_name, program, words)
    context = complaint.ctx
    command = program
    if context.parent is not None:
        command = next(one for one in program.commands if one.name == context.info_name)
    if hasattr(complaint, "param"):
        parameter = complaint.param and _described(command, complaint.param)
        if parameter is None:
            return UsageError(complaint.message)
        if hasattr(complaint, "param_type"):
            return _missing(parameter, program, command)
        return _bad_value(complaint, parameter, context, words)
    if command is program:
        names = ", ".join(one.name for one in program.commands)
        return UsageError("no command is named", hint=f"commands: {names}; see: {program.name} --help")
    return UsageError(f"'{_parse(context, words)[1][0]}' is one word too many", hint=_usage(program, command))


def unknown_command(name: str, program: Command) -> UsageError:
    """What to say of a command that there is not."""
    hint = did_you_mean(name, [command.name for command in program.commands])
    return UsageError(f"there is no command '{name}'", hint)


def tell_origins(error: UsageError, context: Any, command: Command, file: Path | None) -> None:
    """Add to an error where the options that it names were set, unless they were typed.

    Args:
        error: Its hint is added to.
        context: Of the subcommand that runs.
        command: Which that is.
        file: The configuration file that was read.
    """
    origins = []
    for name in dict.fromkeys(_OPTION.findall(error.what)):
        option = command.option(name)
        source = context.get_parameter_source(option.argument) if option else None
        if option is None or source is None:
            continue
        if source.name == _VARIABLE:
            origins.append(f"{name} comes from {option.variable}")
        elif source.name == _FILE:
            origins.append(f"{name} comes from {option.key} under [{command.name}] in {file}")
    if origins:
        error.hint = "; ".join([*origins, *([error.hint] if error.hint else [])])


def _missing(parameter: Parameter, program: Command, command: Command) -> UsageError:
    hint = _usage(program, command)
    if command.examples:
        hint += f"\n  such as: {command.examples[0].command}"
    name = parameter.names[-1] if parameter.names else parameter.metavar
    return UsageError(f"{name} is missing", hint)


def _bad_value(complaint: Any, parameter: Parameter, context: Any, words: Sequence[str]) -> UsageError:
    value, source = complaint.param.consume_value(context, _parse(context, words)[0])
    name = parameter.names[-1] if parameter.names else parameter.metavar
    name = parameter.variable if source.name == _VARIABLE else name
    for one in value if parameter.several and isinstance(value, (list, tuple)) else [value]:
        fault = config.find_fault(parameter.as_setting(), one)
        if fault is not None:
            return UsageError(f"{name} {fault.what}", fault.hint)
    return UsageError(f"{name}: {complaint.message}")


def _bad_option(name: str, program: Command, words: Sequence[str]) -> UsageError:
    """The parser stopped at an option: nobody knows it, or it lacks a value, or has one that it does not take."""
    place = min((words.index(one.name) for one in program.commands if one.name in words), default=len(words))
    option_place = next(place for place, word in enumerate(words) if word.startswith(name) or _is_short_in(word, name))
    typed = next((one for one in program.commands if [one.name] == list(words[place : place + 1])), program)
    command = typed if place < option_place else program
    option = command.option(name)
    if option is None:
        return _unknown_option(name, program, command, typed)
    if option.is_flag:
        return UsageError(f"{name} takes no value", hint="leave out what follows the =")
    return UsageError(f"{name} needs a value", hint=_how_to_give(option))


def _is_short_in(word: str, name: str) -> bool:
    """Whether `-x` is one of the letters in `-qx`."""
    return len(name) == 2 and word[:1] == "-" and word[:2] != "--" and name[1] in word


def _unknown_option(name: str, program: Command, command: Command, typed: Command) -> UsageError:
    what = f"there is no option {name}" + (f" of {program.name} {command.name}" if command is not program else "")
    owners = [one.name for one in program.commands if one.option(name)]
    if command is not program and program.option(name):
        return UsageError(what, hint=f"it stands before the command: {program.name} {name} {command.name} …")
    if command is program and owners:
        owner = typed.name if typed.name in owners else owners[0]
        return UsageError(what, hint=f"it stands after the command: {program.name} {owner} {name} …")
    otherwise = f"see: {program.name}{'' if command is program else f' {command.name}'} --help"
    if owners:
        otherwise = f"it is an option of {program.name} {' and '.join(owners)}; {otherwise}"
    names = [name for option in command.options for name in option.names if name.startswith("--")]
    return UsageError(what, hint=did_you_mean(name, names, otherwise=otherwise, at_least=0.65))


def _how_to_give(option: Parameter) -> str:
    if option.choices:
        return f"one of: {', '.join(option.choices)}"
    return f"give it: {option.names[-1]} {option.metavar}"


def _usage(program: Command, command: Command) -> str:
    return f"usage: {''.join(text for text, _ in spans(synopsis(program, command)))}"


def _described(command: Command, parameter: Any) -> Parameter | None:
    """What the program says of one of Typer's parameters."""
    parameters = (*command.options, *command.arguments)
    return next((one for one in parameters if one.argument == parameter.name), None)


def _parse(context: Any, words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The options as they were typed, and the words that are left over, by Typer's own parser."""
    typed = list(words) if context.parent is None else _parse(context.parent, words)[1][1:]
    options, left, _ = context.command.make_parser(context).parse_args(typed)
    return options, left
