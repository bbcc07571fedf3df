"""The program as plain data: its subcommands and their parameters, read from the functions that Typer calls.

Typer's own objects change from release to release; what is read here is what was written in the source.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

import typer
from typer.models import OptionInfo, ParameterInfo

from lesionctl.config import Parameter as Setting

HELP_NAMES = ("-h", "--help")
_EXAMPLES = "Examples:"
_SHOWN_DEFAULT = re.compile(r" ?\[default: ([^]]*)\]$")
_TYPE_NAMES = {int: "INTEGER", float: "FLOAT"}


@dataclass(frozen=True)
class Parameter:
    """An option or an argument.

    Attributes:
        names: `-q`, `--quiet`; of an argument, none.
        metavar: What stands for its value, such as `DIR`; empty where it takes none.
        help: A sentence or some.
        default: What it is where nobody says it; empty: nothing.
        choices: The only values that it takes; empty: others.
        panel: The group that it is shown in; empty: none.
        required: Whether the command makes no sense without it.
        several: Whether it may be said more than once.
        lowest: The smallest number that it takes.
        highest: The largest.
        variable: The environment variable that sets it; empty: none.
        key: What stands for it in a configuration file.
        argument: The Python name that its function has for it.
        kind: The type of one value.
    """

    names: tuple[str, ...]
    metavar: str
    help: str
    default: str = ""
    choices: tuple[str, ...] = ()
    panel: str = ""
    required: bool = False
    several: bool = False
    lowest: float | None = None
    highest: float | None = None
    variable: str = ""
    key: str = ""
    argument: str = ""
    kind: type = str

    @property
    def is_flag(self) -> bool:
        """Whether it is an option without a value."""
        return bool(self.names) and not self.metavar

    def as_setting(self) -> Setting:
        """What a configuration file may say of it."""
        return Setting(self.argument, self.several, self.kind, self.choices, self.lowest, self.highest)


@dataclass(frozen=True)
class Example:
    """A command as it is typed, and in a few words what for."""

    command: str
    purpose: str = ""


@dataclass(frozen=True)
class Command:
    """A subcommand, or the program itself.

    Attributes:
        name: What is typed.
        paragraphs: What it does; the first is its summary.
        examples: What can be typed after the quick start's `fetch demo` and `prepare demo`.
        options: As they are shown, `--help` last.
        arguments: In their order.
        commands: Its subcommands.
    """

    name: str
    paragraphs: tuple[str, ...]
    examples: tuple[Example, ...]
    options: tuple[Parameter, ...]
    arguments: tuple[Parameter, ...] = ()
    commands: tuple[Command, ...] = ()

    @property
    def summary(self) -> str:
        """What it does, in a sentence or two."""
        return self.paragraphs[0]

    def option(self, name: str) -> Parameter | None:
        """The option that is typed like this, such as `--out`."""
        return next((option for option in self.options if name in option.names), None)


@cache
def describe(app: typer.Typer, name: str = "lesionctl") -> Command:
    """Read what an app offers.

    Args:
        app: With one level of subcommands and a callback that holds the global options.
        name: What is typed to start it.
    """
    commands = (_command(info.callback, info.name, name) for info in app.registered_commands if not info.hidden)
    assert app.registered_callback is not None
    whole = _command(app.registered_callback.callback, name, "")
    paragraphs, examples = _read_text(app.info.help or "")
    return Command(name, paragraphs, examples, whole.options, commands=tuple(commands))


def _command(function: Callable[..., Any] | None, name: str | None, program: str) -> Command:
    assert function is not None
    assert name is not None
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = [
        _parameter(argument, hints[argument.name], f"{program}_{name}_" if program else f"{name}_")
        for argument in inspect.signature(function).parameters.values()
        if hints[argument.name] is not typer.Context
    ]
    shown = [parameter for parameter in parameters if parameter is not None]
    described = Parameter(HELP_NAMES, "", "Show the help and exit.")
    return Command(
        name,
        *_read_text(inspect.getdoc(function) or ""),
        options=(*(parameter for parameter in shown if parameter.names), described),
        arguments=tuple(parameter for parameter in shown if not parameter.names),
    )


def _parameter(argument: inspect.Parameter, hint: Any, prefix: str) -> Parameter | None:
    kind, *notes = typing.get_args(hint)
    info: ParameterInfo = next(note for note in notes if isinstance(note, ParameterInfo))
    if info.hidden:
        return None
    several, kind = _value_type(kind)
    choices = tuple(str(member.value) for member in kind) if issubclass(kind, Enum) else ()
    names = _names(argument.name, info) if isinstance(info, OptionInfo) else ()
    key = names[-1].lstrip("-").replace("-", "_") if names else argument.name
    metavar = info.metavar if info.metavar is not None else "|".join(choices)
    required = argument.default is inspect.Parameter.empty
    text, default = _read_help(info.help or "")
    said = "" if required or info.show_default is False or default else _tell(argument.default)
    return Parameter(
        names=names,
        metavar="" if kind is bool else metavar or _TYPE_NAMES.get(kind, "TEXT"),
        help=text,
        default=default or said,
        choices=choices,
        panel=str(info.rich_help_panel or ""),
        required=required,
        several=several,
        lowest=info.min,
        highest=info.max,
        variable=_variable(info, key, prefix),
        key=key,
        argument=argument.name,
        kind=kind,
    )


def _value_type(kind: Any) -> tuple[bool, type]:
    """Whether a type is a list, and the type of one value: `list[str] | None` is several `str`."""
    if isinstance(kind, types.UnionType):
        kind = next(part for part in typing.get_args(kind) if part is not type(None))
    if typing.get_origin(kind) is list:
        return True, typing.get_args(kind)[0]
    return False, kind


def _names(name: str, info: OptionInfo) -> tuple[str, ...]:
    """The short names first, as Typer shows them."""
    # In `Annotated`, the first name stands where a default stood once.
    names = [word for word in (info.default, *(info.param_decls or ())) if isinstance(word, str)]
    return tuple(sorted(names or [f"--{name.replace('_', '-')}"], key=lambda name: name.startswith("--")))


def _variable(info: ParameterInfo, key: str, prefix: str) -> str:
    """`LESIONCTL_<SUBCOMMAND>_<OPTION>`; what shows something and ends has none, and arguments have none."""
    has_one = isinstance(info, OptionInfo) and info.allow_from_autoenv
    return (prefix + key).upper() if has_one else ""


def _read_help(text: str) -> tuple[str, str]:
    """A help text without rich's escapes, and the default that it says itself."""
    text = text.replace("\\[", "[")
    default = _SHOWN_DEFAULT.search(text)
    return (text[: default.start()], default[1]) if default else (text, "")


def _tell(default: Any) -> str:
    if default is None or default is False:
        return ""
    if isinstance(default, float):
        return f"{default:g}"
    return str(default.value if isinstance(default, Enum) else default)


def _read_text(text: str) -> tuple[tuple[str, ...], tuple[Example, ...]]:
    """The paragraphs of a docstring, each on a line, and what stands under `Examples:`."""
    prose, _, examples = inspect.cleandoc(text).partition(f"\n{_EXAMPLES}\n")
    paragraphs = (" ".join(paragraph.split()) for paragraph in prose.split("\n\n"))
    return tuple(filter(None, paragraphs)), tuple(_read_examples(examples))


def _read_examples(text: str) -> Iterator[Example]:
    """Commands, each under a comment that says what for."""
    purpose = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("# "):
            purpose = line.removeprefix("# ")
        else:
            yield Example(line, purpose)
            purpose = ""
