"""Configuration files: a TOML table per subcommand, a key per option; global options stand above the tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lesionctl.errors import BadFile, UsageError, did_you_mean

_YES, _NO = frozenset({"1", "true", "t", "yes", "y", "on"}), frozenset({"0", "false", "f", "no", "n", "off"})


class Parameter(NamedTuple):
    """A parameter of a subcommand, or of the program.

    Attributes:
        name: Its Python name.
        several: Whether it takes several values.
        kind: Of one value: bool, int, float, or another type, which is made from text.
        choices: The only values that it takes; empty: others.
        lowest: The smallest number that it takes.
        highest: The largest.
    """

    name: str
    several: bool
    kind: type = str
    choices: tuple[str, ...] = ()
    lowest: float | None = None
    highest: float | None = None


class Fault(NamedTuple):
    """Why a value cannot be used.

    Attributes:
        what: What follows the name of the parameter.
        hint: What to write instead.
    """

    what: str
    hint: str | None = None


def find_fault(parameter: Parameter, value: object) -> Fault | None:
    """What is wrong with one value.

    Args:
        parameter: What it is for.
        value: As it was typed, or as TOML has it.

    Returns:
        None: it can be used.
    """
    if isinstance(value, (dict, list)):
        return Fault(f"is a {'table' if isinstance(value, dict) else 'list'}", "give one value")
    shown = f"'{value}'" if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    if parameter.kind is bool:
        if isinstance(value, bool) or str(value).lower() in _YES | _NO:
            return None
        return Fault(f"is {shown}, neither true nor false", "in a file, write true or false; in a variable, 1 or 0")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return Fault(f"is {shown}", _expected(parameter))
    if parameter.choices:
        if str(value) in parameter.choices:
            return None
        return Fault(f"cannot be {shown}", did_you_mean(str(value), parameter.choices))
    if parameter.kind not in (int, float):
        return None
    try:
        number = parameter.kind(value) if isinstance(value, str) else value
    except ValueError:
        return Fault(f"is {shown}, which is no {'whole ' if parameter.kind is int else ''}number")
    if parameter.kind is int and isinstance(number, float):
        return Fault(f"is {shown}, which is no whole number")
    if parameter.lowest is not None and number < parameter.lowest:
        return Fault(f"is {value}, and must be at least {parameter.lowest:g}")
    if parameter.highest is not None and number > parameter.highest:
        return Fault(f"is {value}, and must be at most {parameter.highest:g}")
    return None


def read_config(
    path: Path, known: Mapping[str, Mapping[str, Parameter]], of_program: Mapping[str, Parameter]
) -> dict[str, Any]:
    """Read defaults for the parameters of the program and of its subcommands.

    Args:
        path: The TOML file.
        known: The parameters of each subcommand, by the key that stands for them: the option without its dashes.
        of_program: Those of the program, which stand above the first table.

    Returns:
        Defaults by Python name; those of a subcommand are in a dictionary under its name.

    Raises:
        BadFile: The file cannot be read or is no TOML.
        UsageError: It has a table or a key that nobody knows, or a value that its parameter does not take.
    """
    import tomllib  # most commands read no file

    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadFile(path, f"is no TOML file ({error})") from error
    defaults: dict[str, Any] = {}
    for name, value in tables.items():
        if name in known and isinstance(value, dict):
            defaults[name] = _read_table(f"{path}: [{name}]", value, known[name])
        elif isinstance(value, dict):
            raise UsageError(f"{path} has a table [{name}], which is unknown", hint=did_you_mean(name, known))
        elif _key(name) in of_program:
            defaults |= _read_table(f"{path}:", {name: value}, of_program)
        else:
            raise UsageError(f"{path}: {name} is unknown", hint=_where_it_belongs(_key(name), known, of_program))
    return defaults


def _read_table(where: str, values: Mapping[str, Any], known: Mapping[str, Parameter]) -> dict[str, Any]:
    defaults = {}
    for key, value in values.items():
        parameter = known.get(_key(key))
        if parameter is None:
            raise UsageError(f"{where} {key} is unknown", hint=did_you_mean(_key(key), known))
        defaults[parameter.name] = _read_value(f"{where} {key}", value, parameter)
    return defaults


def _read_value(where: str, value: Any, parameter: Parameter) -> Any:
    """A value as it reaches the parameter: what is made from text as text."""
    if parameter.several:
        return [_read_one(where, one, parameter) for one in (value if isinstance(value, list) else [value])]
    if isinstance(value, list) and value and all(type(one) is int for one in value) and parameter.kind is str:
        return ",".join(map(str, value))  # widths reach their option as they are typed
    return _read_one(where, value, parameter)


def _read_one(where: str, value: Any, parameter: Parameter) -> Any:
    fault = find_fault(parameter, value)
    if fault is not None:
        raise UsageError(f"{where} {fault.what}", hint=fault.hint)
    return value if parameter.kind in (bool, int, float) else str(value)


def _where_it_belongs(
    key: str, known: Mapping[str, Mapping[str, Parameter]], of_program: Mapping[str, Parameter]
) -> str:
    """A hint for a key above the tables; an option of a subcommand has strayed there."""
    homes = [f"[{name}]" for name, parameters in known.items() if key in parameters]
    return f"it belongs into {' or '.join(homes)}" if homes else did_you_mean(key, [*known, *of_program])


def _expected(parameter: Parameter) -> str:
    if parameter.choices:
        return f"known: {', '.join(parameter.choices)}"
    return {int: "give a whole number", float: "give a number"}.get(parameter.kind, "give text, in quotation marks")


def _key(name: str) -> str:
    return name.replace("-", "_")
