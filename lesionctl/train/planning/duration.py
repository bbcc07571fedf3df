"""Lengths of time as people write them."""

from __future__ import annotations

import math
import re

from lesionctl.errors import UsageError


def parse_duration(text: str) -> float:
    """Seconds of a text such as `90s`, `30m`, `2h` or `1h30m`.

    Raises:
        UsageError: It is something else, or no time at all.
    """
    number = r"(\d+(?:\.\d+)?)"
    match = re.fullmatch(rf"(?:{number}h)?(?:{number}m)?(?:{number}s)?", text.strip().lower())
    seconds = (
        sum(float(part or 0) * unit for part, unit in zip(match.groups(), (3600, 60, 1), strict=True)) if match else 0
    )
    if not seconds:
        raise UsageError(f"'{text}' is no length of time", hint="write it like 90s, 30m, 2h or 1h30m")
    return seconds


def format_duration(seconds: float) -> str:
    """`parse_duration` backwards, rounded up to whole seconds: `5400` → `1h30m`."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = {"h": hours, "m": minutes, "s": rest}
    return "".join(f"{number}{unit}" for unit, number in parts.items() if number) or "0s"
