"""The default listener hears nothing, and `track` counts what it passes on."""

from __future__ import annotations

from contextlib import contextmanager

from lesionctl.progress import Silent, track


class Counting(Silent):
    def __init__(self):
        self.steps = 0
        self.opened = []

    @contextmanager
    def task(self, description, total=None):
        self.opened.append((description, total))
        yield self

    def advance(self, steps=1):
        self.steps += steps


def test_track_yields_every_item_and_advances_once_each():
    progress = Counting()
    assert list(track(progress, "abc", "reading", 3)) == ["a", "b", "c"]
    assert progress.opened == [("reading", 3)]
    assert progress.steps == 3


def test_track_counts_a_step_when_its_work_is_done_not_when_it_begins():
    progress = Counting()
    items = track(progress, "ab", "reading")
    next(items)
    assert progress.steps == 0
    next(items)
    assert progress.steps == 1


def test_silent_takes_everything():
    silent = Silent()
    with silent.task("work", 2) as task:
        task.advance()
        task.note("half")
    silent.row({"loss": 1.0})
    silent.say("hello")
    silent.warn("careful")
