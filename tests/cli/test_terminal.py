"""The bar and the log lines: steps and bytes, rate and time left, several threads."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from rich.console import Console

from lesionctl.cli import terminal as module
from lesionctl.cli.terminal import Terminal

MB = 1024**2


class Clock:
    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def strftime(self, _):
        return "12:00:00"


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


def listening(*, drawn=False):
    terminal = Terminal()
    text = io.StringIO()
    terminal._err = Console(file=text, force_terminal=drawn, width=200, soft_wrap=not drawn)
    return terminal, text


def test_bytes_are_logged_with_rate_and_time_left(clock):
    terminal, text = listening()
    with terminal.task("downloading", 800 * MB, unit="bytes", done=100 * MB) as task:
        task.note("2 of 6 files")
        clock.now += 10
        task.advance(350 * MB)
        clock.now += 1
        task.advance(1)  # less than ten seconds later: no line
        clock.now += 10
        task.advance(-308 * MB - 1)
        clock.now += 19
        task.advance(658 * MB)
    assert text.getvalue().splitlines() == [
        "12:00:00 downloading 450/800 MB (35 MB/s, 10 s left) 2 of 6 files",
        "12:00:00 downloading 142/800 MB (2 MB/s, 5 min left) 2 of 6 files",
        "12:00:00 downloading 800/800 MB (17.5 MB/s) 2 of 6 files",
    ]


def test_steps_are_logged_as_numbers(clock):
    terminal, text = listening()
    with terminal.task("drawing", 100) as task:
        clock.now += 20
        task.advance(30)
        clock.now += 1
        task.advance(70)
    with terminal.task("reading") as task:
        clock.now += 20
        task.advance(30)
    assert text.getvalue().splitlines() == [
        "12:00:00 drawing 30/100 (1.5/s, 47 s left)",
        "12:00:00 drawing 100/100 (4.8/s)",
        "12:00:00 reading 30 (1.5/s)",
    ]


def test_short_work_says_nothing_and_quiet_says_nothing(clock):
    terminal, text = listening()
    with terminal.task("drawing", 2) as task:
        task.advance(2)
    terminal.quiet = True
    with terminal.task("drawing", 2, unit="bytes") as task:
        clock.now += 20
        task.advance(2)
    assert text.getvalue() == ""


@pytest.mark.parametrize(
    ("left", "text"), [(89, "89 s left"), (90, "2 min left"), (5399, "90 min left"), (9000, "2.5 h left")]
)
def test_time_left(clock, left, text):
    count = module._Count(1 + left, "steps", 0)
    clock.now += 1
    count.add(1)
    assert count.time_left() == text


def test_a_bar_shows_bytes(clock):
    terminal, text = listening(drawn=True)
    with terminal.task("downloading", 10 * MB, unit="bytes", done=MB) as task:
        clock.now += 2
        task.advance(3 * MB)
        task.note("1 of 2 files")
    assert "4/10 MB" in text.getvalue()
    assert "1.5 MB/s" in text.getvalue()
    assert "1 of 2 files" in text.getvalue()


@pytest.mark.parametrize("drawn", [True, False])
def test_threads_may_advance_one_task(drawn):
    terminal, _ = listening(drawn=drawn)
    with terminal.task("downloading", 4000, unit="bytes") as task, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: [task.advance(2) for _ in range(500)], range(4)))
        assert task._count.done == 4000


BAR_AND_RESULTS = """
import time
from lesionctl.cli.terminal import Terminal
terminal = Terminal()
with terminal.task("segmenting", 3) as task:
    for number in range(3):
        terminal.json({"number": number, "path": "scans/[bold]" + "x" * 100}, indent=None)
        task.advance()
        time.sleep(0.15)  # the bar is drawn ten times a second
"""
ROWS = [f'{{"number": {number}, "path": "scans/[bold]{"x" * 100}"}}' for number in range(3)]


@pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudoterminals of this kind")
@pytest.mark.parametrize("redirected", [True, False])
def test_results_go_to_stdout_beside_a_bar(tmp_path, redirected):
    """On a terminal with `> rows.jsonl`, the bar is on the terminal and the rows are in the file."""
    import pty

    main, terminal = pty.openpty()
    with (tmp_path / "rows.jsonl").open("wb") as file:
        child = subprocess.Popen(
            [sys.executable, "-c", BAR_AND_RESULTS],
            stdin=terminal,
            stdout=file if redirected else terminal,
            stderr=terminal,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        )
    os.close(terminal)
    drawn = "".join(iter(lambda: _read(main), ""))
    os.close(main)
    assert child.wait() == 0
    assert "segmenting" in drawn
    rows = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert rows == (ROWS if redirected else [])
    for row in ROWS:  # each whole, on a line of its own
        assert (f"{row}\r\n" in drawn) != redirected


def _read(main):
    """What came from a pseudoterminal; nothing once its other end is closed, which Linux calls an error."""
    try:
        return os.read(main, 1 << 16).decode(errors="replace")
    except OSError:
        return ""
