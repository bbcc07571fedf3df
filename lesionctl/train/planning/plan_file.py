"""`plan.toml`: what was planned, each value with its reason on the same line, for people to read and to change."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import tomli_w

from lesionctl.errors import BadFile, LesionctlError
from lesionctl.paths import BUNDLED_MODELS
from lesionctl.runtime.load import find_model, find_models
from lesionctl.train.options import AUTO_BATCH_SIZE, TrainOptions, parse_source_weights

PLAN_FILE = "plan.toml"
"""Its name in a run directory."""

_WIDEST = 24  # characters of a value that the reasons are still aligned behind


@dataclass(frozen=True)
class Plan:
    """How to train on a set, and why.

    Attributes:
        options: All options, those that nobody had to decide included.
        reasons: Why a value is as it is, by the option's name, in the order in which they were decided.
        remarks: What a person should know besides; a line each.
    """

    options: TrainOptions
    reasons: dict[str, str]
    remarks: tuple[str, ...] = ()

    def to_toml(self) -> str:
        """The text of a `plan.toml`, which `lesionctl --config plan.toml train STORE --out RUN` takes back."""
        values = self.options.resolved()
        values["init"] = _as_typed(self.options.init)
        values["teacher"] = [_as_typed(file) for file in self.options.teacher]
        texts = {name: _format(values[name]) for name in self.reasons}
        names = max(map(len, texts), default=0)
        width = max((len(text) for text in texts.values() if len(text) <= _WIDEST), default=0)
        lines = [f"{name:{names}} = {text:{width}}  # {self.reasons[name]}" for name, text in texts.items()]
        return "\n".join([*(f"# {remark}" for remark in self.remarks), "[train]", *lines, ""])


def read_plan(path: Path) -> dict[str, Any]:
    """The values of a `plan.toml`, which a person may have changed, by option, as `TrainOptions` takes them.

    Raises:
        BadFile: The file cannot be read, is no TOML, or sets what no option is or can be.
        UsageError: It starts from a model that there is not.
    """
    try:
        table = tomllib.loads(path.read_text())["train"]
    except OSError as error:
        raise BadFile(path, f"cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise BadFile(path, f"is no plan ({error!r})", hint="remove it to have it made anew") from error
    defaults = {field.name: field.default for field in fields(TrainOptions)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in defaults:
            raise BadFile(path, f"sets {key}, which is no option of train")
        try:
            values[name] = _parse(name, value, defaults[name])
        except LesionctlError:
            raise
        except (TypeError, ValueError) as error:
            raise BadFile(path, f"sets {key} to {value!r}, which it cannot be") from error
    if values.keys() & {"arch", "encoder"}:  # a network of its own starts from no model
        values.setdefault("init", "")
    return values


def _as_typed(file: str) -> str:
    """A bundled model by its name, which is the same on every machine."""
    return Path(file).stem if file and Path(file).parent == BUNDLED_MODELS.resolve() else file


def _format(value: Any) -> str:
    """A value as TOML on one line; tomli_w writes a list over several."""
    if isinstance(value, list):
        return f"[{', '.join(map(_format, value))}]"
    return tomli_w.dumps({"v": value}).removeprefix("v = ").rstrip("\n")


def _parse(name: str, value: Any, default: Any) -> Any:
    if name == "batch_size" and value == "auto":
        return AUTO_BATCH_SIZE
    if name == "init":
        return str(find_model(value).resolve()) if value else ""
    if name in {"teacher", "source_weight"}:
        texts = [value] if isinstance(value, str) else list(value)
        if name == "source_weight":
            return parse_source_weights(texts)
        return tuple(str(path.resolve()) for path in find_models(texts))
    if isinstance(default, tuple):
        return tuple(map(int, value.split(",") if isinstance(value, str) else value))
    if isinstance(default, StrEnum):
        return type(default)(value)
    kind = int if default is None else type(default)  # only the fold has no value of its own
    if isinstance(value, bool) is not (kind is bool) or not isinstance(value, (int, float) if kind is float else kind):
        raise TypeError(value)
    return kind(value)
