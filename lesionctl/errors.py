"""What can go wrong, as types: each knows its exit code and what a person can do about it.

Wings and the ground floor raise these; `lesionctl.cli.main` alone turns them into an exit code and a message.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What the shell sees."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    SOME_INPUTS_FAILED = 3
    GATE_FAILED = 4
    INTERRUPTED = 75
    # As shells tell of a process that a signal has ended: 128 and its number.
    SIGINT = 130
    SIGPIPE = 141
    SIGTERM = 143


class LesionctlError(Exception):
    """Something went wrong that a person can understand and act upon.

    Args:
        what: What is wrong, naming the file or value.
        hint: What to do about it.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class UsageError(LesionctlError):
    """The command was asked for something that makes no sense."""

    exit_code = ExitCode.USAGE


class GateError(LesionctlError):
    """A check that guards a result (parity, leakage, a demanded score) failed."""

    exit_code = ExitCode.GATE_FAILED


class Interrupted(LesionctlError):
    """Stopped on request with the state saved: the same command goes on."""

    exit_code = ExitCode.INTERRUPTED


class MissingExtra(LesionctlError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed",
            hint=f"pip install 'lesionctl[{extra}]'",
        )


class BadFile(LesionctlError):
    """One file cannot be used; a batch names it and goes on with the others."""

    def __init__(self, path: Path | str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"{path}: {reason}", hint)
        self.path = Path(path)
        self.reason = reason


@dataclass(frozen=True)
class Failure:
    """One input that could not be used, and why."""

    path: Path
    reason: str


class SomeInputsFailed(LesionctlError):
    """Some inputs, or all, could not be used; whatever could be is done."""

    exit_code = ExitCode.SOME_INPUTS_FAILED

    def __init__(self, failures: list[Failure], total: int) -> None:
        lines = "\n".join(f"  {failure.path}: {failure.reason}" for failure in failures)
        done = "the rest are done" if len(failures) < total else "none is done"
        super().__init__(f"{len(failures)} of {total} inputs failed, {done}:\n{lines}")
        self.failures = failures


def nearest(name: str, known: Iterable[str], most: int = 1, *, at_least: float = 0.6) -> list[str]:
    """The known words that look like a misspelt one, the most alike first.

    Args:
        name: Capital and small letters, `-` and `_` count as the same.
        known: The words that there are.
        most: How many.
        at_least: How alike they must be, from 0 to 1 (the same); see `difflib.SequenceMatcher.ratio`.
    """
    by_spelling: dict[str, str] = {}
    for word in known:
        by_spelling.setdefault(_spell(word), word)
    return [by_spelling[near] for near in get_close_matches(_spell(name), by_spelling, most, at_least)]


def did_you_mean(
    name: str, known: Iterable[str], most: int = 1, *, otherwise: str | None = None, at_least: float = 0.6
) -> str:
    """A hint for a misspelt word.

    Args:
        name: The word.
        known: Those that there are.
        most: How many to name.
        otherwise: The hint where none looks like it; None: all that are known.
        at_least: See `nearest`.
    """
    known = list(known)
    near = [f"'{word}'" for word in nearest(name, known, most, at_least=at_least)]
    if near:
        return f"did you mean {' or '.join(filter(None, (', '.join(near[:-1]), near[-1])))}?"
    return f"known: {', '.join(known)}" if otherwise is None else otherwise


def _spell(word: str) -> str:
    return word.lower().replace("_", "-")
