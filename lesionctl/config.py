"""Configuration files: a TOML table per subcommand, a key per option."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lesionctl.errors import BadFile, UsageError


def read_config(path: Path, known: dict[str, set[str]]) -> dict[str, dict[str, Any]]:
    """Read defaults for the subcommands' options.

    Args:
        path: The TOML file.
        known: The options of each subcommand, as Python names.

    Returns:
        For each subcommand, its options' defaults by Python name.

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
            name = key.replace("-", "_")
            if name not in known[table]:
                raise _unknown(path, f"{key} in [{table}]", name, known[table])
            # Lists reach an option as it is typed: joined by commas.
            defaults[table][name] = ",".join(map(str, value)) if isinstance(value, list) else value
    return defaults


def _unknown(path: Path, what: str, name: str, known: set[str]) -> UsageError:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(known))}"
    return UsageError(f"{path} sets {what}, which is unknown", hint=hint)
