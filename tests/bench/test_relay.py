"""What a process tells of its work arrives as if the listener had been there."""

from __future__ import annotations

import pytest

from lesionctl.bench.relay import Begun, Ended, Moved, Relay, Teller


def test_what_is_told_is_heard_with_what_it_is_about(listener):
    with Relay(listener, "lesion-s torch") as relay:
        teller = Teller(relay.pass_on)
        with teller.task("scoring", 3) as task:
            task.advance()
            task.note("half")
            task.advance(2)
        teller.warn("not heard")
    (heard,) = listener.tasks
    assert (heard.description, heard.total, heard.done, heard.is_open) == ("scoring", 3, 3, False)
    assert heard.notes == ["lesion-s torch", "lesion-s torch, half"]
    assert listener.said == []


def test_one_task_follows_another(listener):
    with Relay(listener, "m") as relay:
        for name in ("one", "two"):
            relay.pass_on(Begun(name, None))
            relay.pass_on(Moved(1))
            relay.pass_on(Ended())
    assert [(task.description, task.done) for task in listener.tasks] == [("one", 1), ("two", 1)]


def test_a_process_that_dies_leaves_no_task_open(listener):
    with Relay(listener, "m") as relay:
        relay.pass_on(Begun("scoring", 5))
    assert not listener.tasks[0].is_open


def test_work_that_fails_ends_its_task():
    told = []
    with pytest.raises(ValueError, match="broken"), Teller(told.append).task("scoring", 5):
        raise ValueError("broken")
    assert told == [Begun("scoring", 5), Ended()]
