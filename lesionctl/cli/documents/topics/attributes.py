"""What a dataclass says of its attributes, so that it need not be said again."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from typing import Any

_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", re.MULTILINE)


def attributes_of(kind: type[Any], *, none: str) -> dict[str, str]:
    """The attributes of a dataclass in their order, each with what its docstring says of it.

    Args:
        kind: The dataclass.
        none: What stands for None in the files that its values are written to.

    Raises:
        KeyError: The docstring lacks one.
    """
    said = dict(_ATTRIBUTE.findall(inspect.getdoc(kind) or ""))
    return {field.name: " ".join(said[field.name].split()).replace("None", none) for field in fields(kind)}
