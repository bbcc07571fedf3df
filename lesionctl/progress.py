"""How a wing says how far it is, without knowing who listens.

The command line passes its own `Progress`; a script that calls a wing as a plain function passes none and hears
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeVar

T = TypeVar("T")


class Task(Protocol):
    """One piece of work with a known or unknown number of steps."""

    def advance(self, steps: int = 1) -> None:
        """Say that `steps` more steps are done."""

    def note(self, text: str) -> None:
        """Show a few words beside the bar, such as the current loss."""


class Progress(Protocol):
    """Whoever listens to a wing at work."""

    def task(self, description: str, total: int | None = None) -> AbstractContextManager[Task]:
        """Open a piece of work of `total` steps; it closes with the `with` block."""

    def row(self, values: Mapping[str, float]) -> None:
        """A line of a table that grows while it runs; every line has the same columns."""

    def say(self, message: str) -> None:
        """A line that a person wants to read while it runs."""

    def warn(self, message: str) -> None:
        """A line that a person should read even when all goes well."""


class _SilentTask:
    def advance(self, steps: int = 1) -> None:
        return

    def note(self, text: str) -> None:
        return


class Silent:
    """A listener that shows nothing: the default of every wing."""

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[Task]:
        """Open a piece of work that nobody watches."""
        yield _SilentTask()

    def row(self, values: Mapping[str, float]) -> None:
        """Drop the row."""

    def say(self, message: str) -> None:
        """Drop the message."""

    def warn(self, message: str) -> None:
        """Drop the message."""


def track(progress: Progress, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield `items` one by one, a step of `progress` each."""
    with progress.task(description, total) as task:
        for item in items:
            yield item
            task.advance()
