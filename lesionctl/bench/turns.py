"""Cases that take turns, each in its own process, one at a time: a machine whose speed drifts is fair to all."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lesionctl.bench.process import CaseFailed
from lesionctl.bench.result import Row
from lesionctl.bench.worker import Refusal
from lesionctl.errors import ExitCode
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.host_memory import memory_for_this_process
from lesionctl.runtime.precision import Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lesionctl.bench.case import Case
    from lesionctl.bench.process import CaseProcess
    from lesionctl.bench.worker import Memory, Started, Turn
    from lesionctl.progress import Task

MOST_AT_ONCE = 12
"""Processes that live at the same time."""

_ROOM = 2  # times the memory of the largest process so far must be free for another one


@dataclass
class _Running:
    """A case whose process lives."""

    case: Case
    process: CaseProcess
    started: Started
    memory: Memory
    first_turn: int
    turns: list[tuple[float, ...]] = field(default_factory=list)
    device_turns: list[tuple[float, ...]] = field(default_factory=list)
    reason: str = ""

    def take_turn(self) -> None:
        try:
            turn: Turn = self.process.ask("run")
        except CaseFailed as failed:
            self.reason = failed.what
            return
        self.turns.append(turn.seconds)
        self.device_turns += [turn.device_seconds] if turn.device_seconds else []

    def row(self) -> Row:
        return Row(
            case=self.case,
            runs_on=self.started.runs_on,
            reason=self.reason,
            images=self.started.images,
            turns=tuple(self.turns),
            device_turns=tuple(self.device_turns),
            first_turn=self.first_turn,
            start_seconds=self.started.first_result - self.process.began,
            memory_mb=self.memory.process or None,
            device_memory_mb=self.memory.device,
        )


@dataclass(frozen=True)
class Refused:
    """A case that could not even start.

    Attributes:
        case: What was to be measured.
        error: Why it cannot be.
    """

    case: Case
    error: CaseFailed


def measure_in_turn(
    cases: Sequence[Case],
    begin: Callable[[Case], CaseProcess],
    repeats: int,
    task: Task,
    finish: Callable[[Row, CaseProcess], Row],
    *,
    each_once: bool = False,
) -> list[Row | Refused]:
    """Measure cases side by side.

    A first turn of each warms up. Where not all find room in memory at once, they come in several groups, and the first
    case, with which the others are compared, takes its turns in each.

    Args:
        cases: What to measure; each once.
        begin: Starts the process of a case.
        repeats: Turns of each that count.
        task: Is told of each turn.
        finish: Completes the row of a case by what else its process can tell, after its last turn.
        each_once: Refuse a case that turns out to run as an earlier one does, such as an int8 file in any precision.

    Returns:
        What came of each, in the order of the cases. A case that fails stops no other.
    """
    outcomes: dict[Case, Row | Refused] = {}
    waiting = deque(cases)
    ways: dict[tuple[Case, str], Case] = {}
    base: _Running | None = None
    turn = 0
    with ExitStack() as to_the_end:
        while waiting:
            with ExitStack() as group:
                running = [base] if base is not None and not base.reason else []
                while waiting and _has_room(running):
                    case = waiting.popleft()
                    task.note(f"starting {case.label}")  # compiling takes minutes
                    started: _Running | Refused = _start(case, begin, group if base else to_the_end, turn)
                    task.advance()
                    if isinstance(started, _Running) and each_once:
                        started = _unless_known(started, ways)
                    if isinstance(started, Refused):
                        outcomes[case] = started
                        task.advance(repeats)
                        continue
                    running.append(started)
                    base = base or started
                _take_turns(running, turn, repeats, task)
                turn += repeats
                for item in running:
                    if item is not base:
                        outcomes[item.case] = _finish(item, finish)
        if base is not None:
            outcomes[base.case] = _finish(base, finish)
    return [outcomes[case] for case in cases]


def _start(case: Case, begin: Callable[[Case], CaseProcess], stack: ExitStack, turn: int) -> _Running | Refused:
    process = begin(case)
    try:
        started: Started = process.ask("start")
        running = _Running(case, process, started, process.ask("memory"), turn)
    except CaseFailed as error:
        process.end()
        return Refused(case, error)
    stack.enter_context(process)
    return running


def _unless_known(item: _Running, ways: dict[tuple[Case, str], Case]) -> _Running | Refused:
    """The same, or a refusal where another case has turned out to run in the same way."""
    whatever = replace(item.case, backend=Backend.AUTO, precision=Precision.AUTO)
    first = ways.setdefault((whatever, item.started.runs_on), item.case)
    if first is item.case:
        return item
    item.process.end()
    same = f"it runs as {item.started.runs_on}, as with --precision {first.precision}"
    return Refused(item.case, CaseFailed(Refusal(same, None, ExitCode.USAGE, is_lack=True)))


def _take_turns(running: Sequence[_Running], turn: int, repeats: int, task: Task) -> None:
    for number in range(turn, turn + repeats):
        # Who comes first changes, so that nobody always finds the machine as the same other one left it.
        first = number % max(1, len(running))
        for item in [*running[first:], *running[:first]]:
            task.note(item.case.label)
            if not item.reason:
                item.take_turn()
            task.advance()


def _finish(item: _Running, finish: Callable[[Row, CaseProcess], Row]) -> Row:
    if not item.reason:
        item.memory = item.process.ask("memory")
    row = item.row()
    row = row if row.reason else finish(row, item.process)
    item.process.end()
    return row


def _has_room(running: Sequence[_Running]) -> bool:
    """Whether another process may live beside those that do: one always may, beside the first."""
    if len(running) < 2:
        return True
    available = memory_for_this_process()
    largest = max(item.memory.process for item in running) * 1e6
    return len(running) < MOST_AT_ONCE and (available is None or available > _ROOM * largest)
