"""Configuration files: a TOML table per subcommand, a key per option."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from lesionctl.errors import BadFile, UsageError


class Parameter(NamedTuple):
    """A parameter of a subcommand.

    Attributes:
        name: Its Python name.
        several: Whether it takes several values.
    """

    name: str
    several: bool


def read_config(path: Path, known: dict[str, dict[str, Parameter]]) -> dict[str, dict[str, Any]]:
    """Read defaults for the subcommands' parameters.

    Args:
        path: The TOML file.
        known: The parameters of each subcommand, by the key that stands for them: the option without its dashes.

    Returns:
        For each subcommand, its parameters' defaults by Python name.

    Raises:
        BadFile: The file cannot be read or is no TOML.
        UsageError: It has a table or a key that no subcommand knows.
    """
    try:
        tables = tomllib.loads(path.read_text())
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadFile(path, f"is no TOML file ({error})") from error
    defaults: dict[str, dict[str, Any]] = {}
    for table, values in tables.items():
        if table not in known or not isinstance(values, dict):
            raise _unknown(path, f"[{table}]", table, set(known))
        defaults[table] = {}
        for key, value in values.items():
            parameter = known[table].get(key.replace("-", "_"))
            if parameter is None:
                raise _unknown(path, f"{key} in [{table}]", key.replace("-", "_"), set(known[table]))
            if isinstance(value, list) and not parameter.several:
                # A list of widths reaches an option that takes one value as it is typed: joined by commas.
                value = ",".join(map(str, value))
            elif parameter.several and not isinstance(value, list):
                value = [value]
            defaults[table][parameter.name] = value
    return defaults


def _unknown(path: Path, what: str, name: str, known: set[str]) -> UsageError:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(known))}"
    return UsageError(f"{path} sets {what}, which is unknown", hint=hint)
