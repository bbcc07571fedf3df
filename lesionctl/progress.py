"""How a wing says how far it is, without knowing who listens.

The command line passes its own `Progress`; a script that calls a wing as a plain function passes none and hears
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, Protocol, TypeVar

T = TypeVar("T")

Unit = Literal["steps", "bytes"]
"""What a piece of work is counted in."""


class Task(Protocol):
    """One piece of work with a known or unknown number of steps; several threads may work on it."""

    def advance(self, steps: int = 1) -> None:
        """Say that `steps` more steps are done; fewer than zero: that so many have to be done again."""

    def note(self, text: str) -> None:
        """Show a few words beside the bar, such as the current loss."""


class Progress(Protocol):
    """Whoever listens to a wing at work."""

    def task(
        self, description: str, total: int | None = None, *, unit: Unit = "steps", done: int = 0
    ) -> AbstractContextManager[Task]:
        """Open a piece of work of `total` steps; it closes with the `with` block.

        Args:
            description: What is done, in a word or two.
            total: How many steps there are; None: nobody knows.
            unit: Whether the steps are bytes.
            done: How many were done before, and say nothing of how fast it goes.
        """

    def row(self, values: Mapping[str, float]) -> None:
        """A line of a table that grows while it runs; every line has the same columns."""

    def say(self, message: str) -> None:
        """A line that a person wants to read while it runs."""

    def detail(self, message: str) -> None:
        """A line for a person who asked for all: what was chosen, and why."""

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
    def task(
        self, description: str, total: int | None = None, *, unit: Unit = "steps", done: int = 0
    ) -> Iterator[Task]:
        """Open a piece of work that nobody watches."""
        yield _SilentTask()

    def row(self, values: Mapping[str, float]) -> None:
        """Drop the row."""

    def say(self, message: str) -> None:
        """Drop the message."""

    def detail(self, message: str) -> None:
        """Drop the message."""

    def warn(self, message: str) -> None:
        """Drop the message."""


def track(progress: Progress, items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield `items` one by one, a step of `progress` each."""
    with progress.task(description, total) as task:
        for item in items:
            yield item
            task.advance()


_SIZES = ("bytes", "KB", "MB", "GB", "TB")


def format_bytes(count: float, of: float | None = None) -> str:
    """A size as the sets' own pages write it: `11165358566` → `10.4 GB`, a KB being 1024 bytes.

    Args:
        count: Bytes.
        of: Bytes of the whole, if `count` is a part of it: `1.2/10.4 GB`.
    """
    largest = count if of is None else of
    power = 0
    while power < len(_SIZES) - 1 and largest >= 999.5 * 1024**power:
        power += 1
    texts = [_three_digits(value / 1024**power) for value in (count, of) if value is not None]
    return f"{'/'.join(texts)} {_SIZES[power]}"


def _three_digits(value: float) -> str:
    return f"{value:.1f}" if 0 < value < 99.95 and value != int(value) else f"{value:.0f}"
