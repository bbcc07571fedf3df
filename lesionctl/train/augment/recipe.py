"""Recipes: which steps vary a picture, in which order, how often and how much; plain data from a TOML file."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionctl.errors import BadFile, UsageError, did_you_mean
from lesionctl.train.augment.steps import ONE_OF, SHARE, SIZING, STEPS, Value

if TYPE_CHECKING:
    from collections.abc import Iterable

_HERE = Path(__file__).parent

BUILT_IN = ("none", "light", "standard", "strong")
"""The recipes that need no file of one's own."""


@dataclass(frozen=True)
class Step:
    """One change.

    Attributes:
        name: A key of `STEPS`, or "one_of".
        p: Share of the views that get it, in [0, 1]; each step is drawn by itself.
        parameters: All that the step takes, by name, in the order of `STEPS`.
        choices: Of "one_of" alone: the steps of which one is drawn, each as likely as the others.
    """

    name: str
    p: float = 1.0
    parameters: tuple[tuple[str, Value], ...] = ()
    choices: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """Steps in order. Two recipes that do the same are equal, whatever they are called.

    Attributes:
        name: Of the built-in recipe, or its file.
        steps: What is done, first to last.
    """

    name: str = field(compare=False)
    steps: tuple[Step, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256, in hex, over the steps and their parameters: neither comments nor the name count."""
        return hashlib.sha256(json.dumps([_as_values(step) for step in self.steps]).encode()).hexdigest()

    def to_toml(self) -> str:
        """The recipe as a file that `read_recipe` reads: every parameter stands there, defaults too."""
        lines: list[str] = []
        for step in self.steps:
            lines += ["[[step]]", *_lines(step, with_share=True), ""]
            for choice in step.choices:
                lines += ["[[step.choice]]", *_lines(choice, with_share=False), ""]
        return "\n".join(lines)


def read_recipe(name: str) -> Recipe:
    """Read a recipe.

    Args:
        name: none, light, standard or strong, or the path of a TOML file.

    Raises:
        UsageError: There is no such recipe, or the file asks for what no step can do.
        BadFile: The file cannot be read or is no TOML.
    """
    if name == "none":
        return Recipe(name)
    if name not in BUILT_IN and not name.endswith(".toml") and not Path(name).is_file():
        raise UsageError(
            f"there is no augmentation '{name}'",
            hint=did_you_mean(name, BUILT_IN) + ", or the path of a recipe's TOML file",
        )
    path = _HERE / f"{name}.toml" if name in BUILT_IN else Path(name)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadFile(path, f"is no TOML file ({error})") from error
    if others := [key for key in tables if key != "step"]:
        raise UsageError(f"{path} sets {others[0]}, which is unknown", hint="a recipe is a list of [[step]] tables")
    return Recipe(name, tuple(_read_steps(path, tables.get("step", []))))


def _read_steps(path: Path, tables: Any) -> Iterable[Step]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{path}: step is no list of tables", hint="begin each step with a line [[step]]")
    for number, table in enumerate(tables, start=1):
        where = f"{path}: step {number}"
        yield _read_one_of(where, table) if table.get("name") == ONE_OF else _read_step(where, table)


def _read_one_of(where: str, table: dict[str, Any]) -> Step:
    where = f"{where} ({ONE_OF})"
    choices = table.get("choice")
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
        raise UsageError(f"{where} has no choices", hint="begin each with a line [[step.choice]]")
    if others := [key for key in table if key not in ("name", "p", "choice")]:
        raise UsageError(f"{where} sets {others[0]}, which it does not know", hint="it takes p and choices")
    steps = []
    for number, choice in enumerate(choices, start=1):
        here = f"{where}, choice {number}"
        if "p" in choice:
            raise UsageError(f"{here} sets p", hint=f"every choice is as likely as the others: set p of {ONE_OF}")
        step = _read_step(here, choice)
        if step.name in SIZING:
            raise UsageError(f"{here}: {step.name} can be no choice", hint="it makes every view the same size")
        steps.append(step)
    return Step(ONE_OF, _read_share(where, table), choices=tuple(steps))


def _read_step(where: str, table: dict[str, Any]) -> Step:
    name = table.get("name")
    if not isinstance(name, str):
        raise UsageError(f"{where} has no name", hint=f"known: {', '.join([*STEPS, ONE_OF])}")
    if name not in STEPS:
        raise UsageError(f"{where} ({name}) is unknown", hint=did_you_mean(name, [*STEPS, ONE_OF]))
    where, known = f"{where} ({name})", STEPS[name]
    if others := [key for key in table if key not in ("name", "p") and key not in known]:
        raise UsageError(
            f"{where} sets {others[0]}, which it does not know", hint=did_you_mean(others[0], ["p", *known])
        )
    if name == "resize" and "p" in table:
        raise UsageError(f"{where} sets p", hint="every view has the same size: leave p out")
    parameters = []
    for key, parameter in known.items():
        try:
            parameters.append((key, parameter.check(table.get(key, parameter.default))))
        except ValueError as error:
            raise UsageError(f"{where}: {key} {error}") from error
    return Step(name, _read_share(where, table), tuple(parameters))


def _read_share(where: str, table: dict[str, Any]) -> float:
    try:
        return SHARE.check(table.get("p", SHARE.default))
    except ValueError as error:
        raise UsageError(f"{where}: p {error}") from error


def _as_values(step: Step) -> list[Any]:
    return [step.name, step.p, step.parameters, [_as_values(choice) for choice in step.choices]]


def _lines(step: Step, *, with_share: bool) -> list[str]:
    share = [f"p = {step.p!r}"] if with_share and step.name != "resize" else []
    return [f'name = "{step.name}"', *share, *(f"{key} = {_toml(value)}" for key, value in step.parameters)]


def _toml(value: Value) -> str:
    if isinstance(value, tuple):
        return f"[{value[0]!r}, {value[1]!r}]"
    return f'"{value}"' if isinstance(value, str) else repr(value)
