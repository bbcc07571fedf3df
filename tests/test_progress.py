"""The default listener hears nothing, and `track` counts what it passes on."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from lesionctl.progress import Silent, format_bytes, track


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
    with silent.task("loading", None, unit="bytes", done=3) as task:
        task.advance(-3)
    silent.row({"loss": 1.0})
    silent.say("hello")
    silent.warn("careful")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (759706, "742 KB"),
        (1024**2, "1 MB"),
        (27402895, "26.1 MB"),
        (11165358566, "10.4 GB"),
        (3 * 1024**4, "3 TB"),
    ],
)
def test_sizes_are_written_as_the_sets_own_pages_write_them(count, text):
    assert format_bytes(count) == text


def test_a_part_of_a_whole_has_its_unit():
    assert format_bytes(1.2 * 1024**3, 10.4 * 1024**3) == "1.2/10.4 GB"
    assert format_bytes(0, 5 * 1024) == "0/5 KB"
