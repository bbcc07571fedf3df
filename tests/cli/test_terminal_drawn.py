"""What is seen in a terminal: bars that are drawn over, results above them, resizing, the end after an interrupt."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest

if sys.platform == "win32":
    pytest.skip("it has no pseudo-terminals of this kind", allow_module_level=True)

from pseudo_terminal import ERASE, InTerminal, frames, left_on_screen, width

RESULTS = """
import sys, time
from lesionctl.cli.terminal import Terminal
with Terminal() as terminal, terminal.task(sys.argv[1], 6) as task:
    for number in range(6):
        terminal.json({"number": number, "path": "scans/[bold]" + "x" * 100}, indent=None)
        terminal.warn(f"of {number}")
        task.advance()
        task.note(f"loss {number}")
        time.sleep(0.15)  # the bar is drawn ten times a second
"""
ROWS = [f'{{"number": {number}, "path": "scans/[bold]{"x" * 100}"}}' for number in range(6)]
NAMES = ["segmenting", "皮膚病変の写真" * 20, "é" * 200, "checking \x1b[2Jbad\nname.zip"]


def start(script, columns, *words, **others):
    return InTerminal([sys.executable, "-c", script, *words], columns, **others)


@pytest.mark.parametrize("columns", [40, 200])
@pytest.mark.parametrize("name", NAMES)
def test_results_stay_above_a_bar_of_one_line(columns, name):
    running = start(RESULTS, columns, name)
    assert running.end() == 0
    drawn = frames(running.shown)
    assert drawn
    assert max(map(width, drawn)) < columns
    assert any("%" in frame and "/6" in frame for frame in drawn)
    told = [[row, f"warning: of {number}"] for number, row in enumerate(ROWS)]
    assert left_on_screen(running.shown) == [*(line for pair in told for line in pair), ""]


def test_results_that_go_elsewhere_do_not_disturb_the_bar(tmp_path):
    """With `> rows.jsonl`, the bar is on the terminal and the rows are in the file."""
    with (tmp_path / "rows.jsonl").open("wb") as file:
        running = start(RESULTS, 80, "segmenting", stdout=file.fileno())
        assert running.end() == 0
    assert (tmp_path / "rows.jsonl").read_text().splitlines() == ROWS
    assert left_on_screen(running.shown) == [*(f"warning: of {number}" for number in range(6)), ""]
    assert all(frame.startswith("segmenting") for frame in frames(running.shown))
    assert frames(running.shown)


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"TERM": "dumb", "FORCE_COLOR": "1"}])
def test_a_terminal_that_cannot_be_drawn_over_gets_no_bar(variables):
    running = start(RESULTS, 80, "segmenting", variables=variables)
    assert running.end() == 0
    assert frames(running.shown) == []
    assert "\x1b[J" not in running.shown
    assert ("\x1b[1;33mwarning:\x1b[0m of 0" in running.shown) == ("FORCE_COLOR" in variables)


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_bar_has_colour_where_it_is_wanted(variables, coloured):
    running = start(RESULTS, 80, "segmenting", variables=variables)
    running.end()
    assert frames(running.shown)
    assert ("\x1b[32m" in running.shown) is coloured


ENDLESS = """
import time
from lesionctl.cli.terminal import Terminal
with Terminal() as terminal, terminal.task("segmenting a picture of some size", 1000) as task:
    while True:
        task.advance()
        time.sleep(0.02)
"""


def test_a_bar_fits_the_terminal_as_it_is_now():
    running = start(ENDLESS, 120)
    running.wait_for("%")
    wide = max(map(width, frames(running.shown)))
    assert 60 < wide < 120
    running.shown = ""
    running.resize(40)
    time.sleep(0.3)
    running.shown = ""
    running.wait_for("%")
    running.wait_for("\r\x1b[J", 10)
    assert max(map(width, frames(running.shown))) < 40
    running.process.kill()
    running.end()


FAILING = """
from lesionctl.cli.terminal import Terminal
import time
with Terminal() as terminal, terminal.task("segmenting", 3):
    time.sleep(0.4)
    raise SystemExit(3)
"""


def test_nothing_of_a_bar_is_left_after_an_error_and_the_cursor_was_never_hidden():
    running = start(FAILING, 80)
    assert running.end() == 3
    assert frames(running.shown)
    assert left_on_screen(running.shown) == [""]
    assert "\x1b[?" not in running.shown


def test_nothing_of_a_bar_is_left_after_ctrl_c(tmp_path):
    """In `fetch demo`, the real program; it draws pictures until it is stopped."""
    running = InTerminal(
        [sys.executable, "-m", "lesionctl", "fetch", "demo", "--to", "d", "--count", "100000"], 60, folder=tmp_path
    )
    running.wait_for("drawing")
    running.press("\x03")
    assert running.end() not in (0, 1)
    assert running.shown.rindex(ERASE) > running.shown.rindex("/100000")
    assert "\x1b[?" not in running.shown
    assert not any("%" in line for line in left_on_screen(running.shown))


NESTED = """
import time
from lesionctl.cli.terminal import Terminal
terminal = Terminal()
with terminal.task("choosing"):
    with terminal.task("scoring", 2) as task:
        task.advance(2)
        time.sleep(0.3)
    time.sleep(0.3)
terminal.say("done")
"""


def test_work_within_work_is_shown_in_its_place():
    running = start(NESTED, 80)
    assert running.end() == 0
    first, *_, last = frames(running.shown)
    assert first.startswith("scoring")
    assert last.startswith("choosing")
    assert left_on_screen(running.shown) == ["done", ""]


needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


@pytest.fixture
def tmux(tmp_path):
    """A function that gives tmux a command; its server is of this test alone."""
    socket = f"lesionctl-{os.getpid()}-{tmp_path.name}"

    def run(*words):
        done = subprocess.run(
            ["tmux", "-L", socket, "-f", "/dev/null", *words], capture_output=True, text=True, cwd=tmp_path, check=True
        )
        return done.stdout.rstrip("\n").splitlines()

    yield run
    run("kill-server")


RESIZED = """
import time
from pathlib import Path
from lesionctl.cli.terminal import Terminal
terminal = Terminal()
with terminal.task("checking 皮膚病変の写真.zip", 40) as task:
    for number in range(20):
        terminal.line(f"made {number}")
        task.advance()
        task.note("of 3 files")
        time.sleep(0.05)
    Path("ready").touch()
    while not Path("resized").exists():
        time.sleep(0.05)
    time.sleep(0.3)
    Path("drawn").touch()
    while not Path("seen").exists():
        time.sleep(0.05)
terminal.line("end")
Path("ended").touch()
time.sleep(60)
"""


def wait_for(file):
    ends = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < ends, f"there is no {file}"
        time.sleep(0.05)


@needs_tmux
@pytest.mark.parametrize(("before", "after"), [(200, 40), (40, 200), (40, 40)])
def test_nothing_of_a_bar_is_left_when_a_pane_is_resized(tmux, tmp_path, before, after):
    (tmp_path / "run.py").write_text(RESIZED)
    tmux(
        "new-session",
        "-d",
        "-s",
        "s",
        "-x",
        str(before),
        "-y",
        "30",
        f"env -u COLUMNS LANG=C.UTF-8 {sys.executable} run.py",
    )
    wait_for(tmp_path / "ready")
    tmux("resize-window", "-t", "s", "-x", str(after), "-y", "30")
    (tmp_path / "resized").touch()
    wait_for(tmp_path / "drawn")
    made = [f"made {number}" for number in range(20)]
    *lines, last = tmux("capture-pane", "-p", "-S", "-", "-t", "s")
    assert lines == made
    assert "20/40" in last
    assert "50%" in last
    assert width(last) < after
    (tmp_path / "seen").touch()
    wait_for(tmp_path / "ended")
    assert tmux("capture-pane", "-p", "-S", "-", "-t", "s") == [*made, "end"]


@needs_tmux
@pytest.mark.parametrize("columns", [40, 200])
def test_a_table_is_readable_in_a_pane(tmux, tmp_path, columns):
    command = f"env -u COLUMNS LANG=C.UTF-8 {sys.executable} -m lesionctl fetch --list; touch ended; sleep 60"
    tmux("new-session", "-d", "-s", "s", "-x", str(columns), "-y", "90", command)
    wait_for(tmp_path / "ended")
    lines = tmux("capture-pane", "-p", "-S", "-", "-t", "s")
    assert lines[0] == "sets"
    if columns == 40:
        place = lines.index("isic2017")
        assert lines[place + 1 : place + 6] == [
            "  train / val / test  2000 / 150 / 600",
            "  download            12.1 GB",
            "  on disk             24.2 GB",
            "  licence             CC0-1.0",
            "  cached              –",
        ]
    else:
        assert " ".join(lines[2].split()) == "name train / val / test download on disk licence cached"
        assert len(lines[2]) < 120
