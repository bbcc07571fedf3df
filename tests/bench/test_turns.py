from __future__ import annotations

import pytest

from lesionctl.bench import turns as turns_module
from lesionctl.bench.case import Case, What
from lesionctl.bench.process import CaseFailed
from lesionctl.bench.turns import Refused, measure_in_turn
from lesionctl.bench.worker import Memory, Refusal, Started, Turn
from lesionctl.errors import ExitCode
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.precision import Precision


class FakeProcess:
    """A process that answers at once, says in `log` what it was asked, and dies in the turn that it is told to."""

    began = 100.0

    def __init__(self, case, log, *, starts=True, dies_in=None, runs_on="torch fp32 cpu"):
        self.runs_on = runs_on
        self.case, self.log, self.starts, self.dies_in = case, log, starts, dies_in
        self.turns = 0
        self.ended = False

    def ask(self, name):
        assert not self.ended
        self.log.append((name, self.case.model))
        if name == "start":
            if not self.starts:
                raise CaseFailed(Refusal("no such device", "use another", ExitCode.USAGE, is_lack=True))
            return Started(self.runs_on, 2, 101.5)
        if name == "memory":
            return Memory(1000.0, None)
        self.turns += 1
        if self.turns == self.dies_in:
            raise CaseFailed(Refusal("its process was killed by SIGKILL", None, ExitCode.FAILED))
        return Turn((0.5, 0.25), ())

    def end(self):
        self.ended = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class Steps:
    def __init__(self):
        self.done = 0

    def advance(self, steps=1):
        self.done += steps

    def note(self, text):
        pass


@pytest.fixture
def measure(monkeypatch):
    """A function that measures fake cases by their names; returns outcomes, log, processes and steps."""

    def run(names, repeats=2, available=None, **how):
        monkeypatch.setattr(turns_module, "memory_for_this_process", lambda: available)
        log, processes, steps = [], {}, Steps()

        def begin(case):
            processes[case.model] = FakeProcess(case, log, **how.get(case.model, {}))
            return processes[case.model]

        cases = [Case(What.NETWORK, name) for name in names]
        outcomes = measure_in_turn(cases, begin, repeats, steps, lambda row, _: row)
        assert all(process.ended for process in processes.values())
        return outcomes, [name for what, name in log if what == "run"], steps.done

    return run


def test_cases_take_turns_and_another_one_begins_each_time(measure):
    rows, order, steps = measure("abc", repeats=3)
    assert "".join(order) == "abcbcacab"
    assert steps == 3 * (1 + 3)
    assert [row.turns for row in rows] == [((0.5, 0.25),) * 3] * 3
    assert [(row.start_seconds, row.memory_mb, row.images) for row in rows] == [(1.5, 1000.0, 2)] * 3


def test_a_case_that_cannot_start_stops_nobody(measure):
    (a, b, c), order, _ = measure("abc", a={"starts": False})
    assert isinstance(a, Refused)
    assert (a.error.what, a.error.hint, a.error.exit_code, a.error.is_lack) == (
        "no such device", "use another", ExitCode.USAGE, True,
    )  # fmt: skip
    assert "".join(order) == "bccb"
    assert [len(row.turns) for row in (b, c)] == [2, 2]


def test_a_case_that_dies_keeps_its_turns_and_stops_nobody(measure):
    (a, b), order, _ = measure("ab", repeats=3, a={"dies_in": 2})
    assert (len(a.turns), a.reason) == (1, "its process was killed by SIGKILL")
    assert (len(b.turns), b.reason) == (3, "")
    assert "".join(order) == "abbab"


def test_where_memory_is_short_the_first_case_takes_turns_with_each_group(measure):
    # Twice the gigabyte of the largest process must be free for a third one.
    (a, b, c), order, _ = measure("abc", available=1.9e9)
    assert "".join(order) == "abba" + "acca"
    assert [(row.first_turn, len(row.turns)) for row in (a, b, c)] == [(0, 4), (0, 2), (2, 2)]


def test_with_room_for_all_they_are_one_group(measure):
    rows, order, _ = measure("abc", repeats=1, available=2.1e9)
    assert "".join(order) == "abc"
    assert [row.first_turn for row in rows] == [0, 0, 0]


def test_what_runs_as_another_case_does_is_measured_once_where_that_is_wanted(monkeypatch):
    monkeypatch.setattr(turns_module, "memory_for_this_process", lambda: None)
    cases = [
        Case(What.NETWORK, "m.onnx", Backend.OPENVINO, precision, batch_size=batch)
        for batch in (1, 8)
        for precision in (Precision.FP32, Precision.BF16)
    ]
    processes = []

    def begin(case):
        processes.append(FakeProcess(case, [], runs_on="openvino int8 cpu"))
        return processes[-1]

    def measure(each_once):
        return measure_in_turn(cases, begin, 1, Steps(), lambda row, _: row, each_once=each_once)

    first, twin, other_batch, _ = measure(each_once=True)
    assert (first.case, other_batch.case) == (cases[0], cases[2])
    assert isinstance(twin, Refused)
    assert twin.error.is_lack
    assert twin.error.what == "it runs as openvino int8 cpu, as with --precision fp32"
    assert all(process.ended for process in processes)
    assert not any(isinstance(outcome, Refused) for outcome in measure(each_once=False))
