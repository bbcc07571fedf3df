"""How far a case's process is with what takes long, told to whoever asked it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias

from lesionctl.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from lesionctl.progress import Progress, Task, Unit


@dataclass(frozen=True)
class Begun:
    """A piece of work has begun; see `Progress.task`."""

    description: str
    total: int | None


@dataclass(frozen=True)
class Moved:
    """It has come so many steps farther, or has something to say; see `Task`."""

    steps: int = 0
    note: str = ""


@dataclass(frozen=True)
class Ended:
    """It is done, or has failed."""


News: TypeAlias = Begun | Moved | Ended
"""What a process tells before its answer."""


class Teller(Silent):
    """The listener within the process: it tells on what it hears of tasks, and drops the rest.

    Args:
        tell: Sends a piece of news.
    """

    def __init__(self, tell: Callable[[News], None]) -> None:
        self._tell = tell

    @contextmanager
    def task(
        self, description: str, total: int | None = None, *, unit: Unit = "steps", done: int = 0
    ) -> Iterator[Task]:
        """See `Progress.task`; within another one there is none."""
        self._tell(Begun(description, total))
        try:
            yield _ToldTask(self._tell)
        finally:
            self._tell(Ended())


class _ToldTask:
    def __init__(self, tell: Callable[[News], None]) -> None:
        self._tell = tell

    def advance(self, steps: int = 1) -> None:
        self._tell(Moved(steps))

    def note(self, text: str) -> None:
        self._tell(Moved(note=text))


class Relay:
    """The other end: passes on to a listener what a process tells, for as long as the `with` block lasts.

    Args:
        progress: Who listens.
        about: What it is about, which stands in every note.
    """

    def __init__(self, progress: Progress, about: str) -> None:
        self._progress = progress
        self._about = about
        self._task: Task | None = None
        self._open = ExitStack()

    def pass_on(self, news: News) -> None:
        """Pass on a piece of news."""
        if isinstance(news, Begun):
            self._task = self._open.enter_context(self._progress.task(news.description, news.total))
            self._task.note(self._about)
        elif isinstance(news, Ended):
            self._open.close()
        elif self._task is not None:
            if news.note:
                self._task.note(f"{self._about}, {news.note}")
            self._task.advance(news.steps)

    def __enter__(self) -> Self:
        """Nothing more."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what is open still."""
        self._open.close()
