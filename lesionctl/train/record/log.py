"""`log.jsonl`: what happened, a line each, over all the processes that worked on a run."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def append_event(path: Path, name: str, values: dict[str, object]) -> None:
    """Append a line of JSON: `time` (ISO 8601, UTC), `event`, then the values.

    A process that is killed may leave a torn line behind; the next event then begins a line of its own.

    Args:
        path: The log; made where there is none.
        name: What happened.
        values: What is known of it. What JSON does not know (a path, a NaN) becomes text.
    """
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    known = {key: _form(value) for key, value in values.items()}
    line = json.dumps({"time": time, "event": name, **known}, default=str) + "\n"
    with path.open("ab+") as log:
        size = log.tell()
        log.seek(max(0, size - 1))
        torn = size > 0 and log.read(1) != b"\n"
        log.write(("\n" * torn + line).encode())


def _form(value: object) -> object:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
