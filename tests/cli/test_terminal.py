"""Counts, log lines, bars by width, tables and paragraphs by width, and when there is colour."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from rich.cells import cell_len

from lesionctl.cli.terminal import Colour, Terminal, count, tasks
from lesionctl.cli.terminal.bars import _Bar
from lesionctl.cli.terminal.count import Count, in_words
from lesionctl.cli.terminal.streams import printable, wants_colour
from lesionctl.cli.terminal.tables import growing_row, paragraph_text, table_text

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
    monkeypatch.setattr(count, "time", made)
    monkeypatch.setattr(tasks, "time", made)
    return made


def test_bytes_are_logged_with_rate_and_time_left(clock, capsys):
    with Terminal().task("downloading", 800 * MB, unit="bytes", done=100 * MB) as task:
        task.note("2 of 6 files")
        clock.now += 10
        task.advance(350 * MB)
        clock.now += 1
        task.advance(1)  # less than ten seconds later: no line
        clock.now += 10
        task.advance(-308 * MB - 1)
        clock.now += 19
        task.advance(658 * MB)
    assert capsys.readouterr().err.splitlines() == [
        "12:00:00 downloading 450/800 MB (35 MB/s, 10 s left) 2 of 6 files",
        "12:00:00 downloading 142/800 MB (2 MB/s, 5 min left) 2 of 6 files",
        "12:00:00 downloading 800/800 MB (17.5 MB/s) 2 of 6 files",
    ]


def test_steps_are_logged_as_numbers(clock, capsys):
    terminal = Terminal()
    with terminal.task("drawing", 100) as task:
        clock.now += 20
        task.advance(30)
        clock.now += 1
        task.advance(70)
    with terminal.task("reading") as task:
        clock.now += 20
        task.advance(30)
    with terminal.task("measuring", 4) as task:
        clock.now += 100
        task.advance(2)
    assert capsys.readouterr().err.splitlines() == [
        "12:00:00 drawing 30/100 (1.5/s, 47 s left)",
        "12:00:00 drawing 100/100 (4.8/s)",
        "12:00:00 reading 30 (1.5/s)",
        "12:00:00 measuring 2/4 (50 s each, 2 min left)",
    ]


def test_short_work_says_nothing_and_quiet_says_nothing(clock, capsys):
    terminal = Terminal()
    with terminal.task("drawing", 2) as task:
        task.advance(2)
    terminal.quiet = True
    with terminal.task("drawing", 2, unit="bytes") as task:
        clock.now += 20
        task.advance(2)
    terminal.detail("nobody asked")
    assert capsys.readouterr() == ("", "")


def test_whoever_wants_to_know_all_is_told_how_long_each_piece_of_work_took(clock, capsys):
    terminal = Terminal()
    terminal.verbose = True
    with terminal.task("drawing", 2) as task:
        clock.now += 4
        task.advance(2)
    with terminal.task("loading"):
        clock.now += 200
    terminal.detail("chosen: torch")
    assert capsys.readouterr().err == "drawing: 2/2 in 4.0 s\nloading: 3 min 20 s\nchosen: torch\n"


@pytest.mark.parametrize(
    ("left", "text"), [(89, "89 s left"), (90, "2 min left"), (5399, "90 min left"), (9000, "2.5 h left")]
)
def test_time_left(clock, left, text):
    counted = Count("", 1 + left, "steps", 0)
    clock.now += 1
    counted.add(1)
    assert counted.time_left() == text


@pytest.mark.parametrize(("seconds", "text"), [(4.21, "4.2 s"), (60, "1 min 0 s"), (7510, "2 h 5 min")])
def test_times_in_words(seconds, text):
    assert in_words(seconds) == text


def test_threads_may_advance_one_task(capsys):
    with Terminal().task("downloading", 4000, unit="bytes") as task, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: [task.advance(2) for _ in range(500)], range(4)))
        assert task._count.done == 4000


def bar(clock, columns, description="segmenting", *, encoding="utf-8", note="loss 0.1234", unit="steps", total=400):
    counted = Count(description, total, unit, 0)
    clock.now += 10
    counted.add(48 if unit == "steps" else 4 * MB)
    counted.note = note
    return _Bar(counted).draw(columns, encoding, colour=False)


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (200, "segmenting  ━━────────────────────── 48/400  12%  4.8/s  73 s left  loss 0.1234"),
        (80, "segmenting  ━───────────────  48/400  12%  4.8/s  73 s left  loss 0.1234"),
        (50, "segmenting  48/400  12%  73 s left  loss 0.1234"),
        (40, "segmenting  48/400  12%  73 s left"),
        (33, "segmenting   48/400   12%  4.8/s"),
        (24, "segment…   48/400   12%"),
        (16, " 48/400   12%"),
        (12, " 48/400"),
        (7, "48/400"),
    ],
)
def test_a_bar_gives_up_first_what_matters_least(clock, columns, line):
    drawn = bar(clock, columns)
    assert cell_len(drawn) < columns
    assert drawn.replace("━", "").replace("─", "").split() == line.replace("━", "").replace("─", "").split()
    if columns == 200:
        assert drawn.count("━") == 2  # 12 % of 24
        assert drawn.count("─") == 22


@pytest.mark.parametrize(
    "name", ["皮膚病変の写真" * 8, "é" * 90, "e\u0301" * 90, "👩‍⚕️" * 40, "a" * 300, "x\ny\x1b[2J\x07\t z"]
)
@pytest.mark.parametrize("columns", [8, 20, 39, 40, 41, 80, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_a_bar_is_one_line_whatever_is_worked_on(clock, name, columns, encoding):
    drawn = bar(clock, columns, f"checking {name}.zip", encoding=encoding, note=name, unit="bytes", total=900 * MB)
    assert cell_len(drawn) < columns
    assert drawn.isprintable() or "\u200d" in drawn
    drawn.encode(encoding)
    assert ("4/900 MB" in drawn) == (columns > 8)


def test_columns_of_a_bar_do_not_jump(clock):
    counted = Count("segmenting", 100, "steps", 0)
    drawing = _Bar(counted)
    places = set()
    for done in (50, 45, 4, 1):
        clock.now += 1
        counted.add(done)
        drawn = drawing.draw(100, "utf-8", colour=False)
        places.add((drawn.index("/100"), drawn.index("%")))
    assert len(places) == 1


def test_work_of_which_nobody_knows_how_much_shows_its_time(clock):
    counted = Count("measuring", None, "steps", 0)
    clock.now += 12
    assert _Bar(counted).draw(80, "utf-8", colour=False) == "measuring  12 s"


COLUMNS = ["figure", "mean per\nimage", "95 % interval"]
ROWS = [["Dice (F1)", "0.9012", "0.8811 – 0.9200"], ["thresholded Jaccard", "0.8", "–"]]


def table(width, columns=COLUMNS, rows=ROWS, title="some.store, test split", colour=False):
    return table_text(title, columns, rows, width, colour=colour).splitlines()


@pytest.mark.parametrize("width", [None, 200, 50])
def test_a_table_that_fits_is_as_wide_as_what_it_holds(width):
    assert table(width) == [
        "some.store, test split",
        "",
        "                       mean per",
        " figure                   image     95 % interval",
        " ────────────────────────────────────────────────",
        " Dice (F1)               0.9012   0.8811 – 0.9200",
        " thresholded Jaccard        0.8                 –",
        "",
    ]


def test_a_table_that_does_not_fit_is_shown_row_by_row():
    assert table(40) == [
        "some.store, test split",
        "",
        "Dice (F1)",
        "  mean per image  0.9012",
        "  95 % interval   0.8811 – 0.9200",
        "",
        "thresholded Jaccard",
        "  mean per image  0.8",
        "  95 % interval   –",
        "",
    ]


def test_values_that_do_not_fit_beside_their_names_stand_beneath_them():
    rows = [["all", "0.31 / 0.79 / 1.05", "", "kept in one split with all others of that lesion"]]
    assert table(40, ["split", "megapixels min / median / max", "empty", "consequence"], rows, "t") == [
        "t",
        "",
        "all",
        "  megapixels min / median / max",
        "    0.31 / 0.79 / 1.05",
        "  consequence",
        "    kept in one split with all others of",
        "    that lesion",
        "",
    ]


def test_sentences_in_a_table_go_on_in_a_second_line():
    rows = [["same-lesion", "14", "kept in one split with all others of that lesion"]]
    lines = table(50, ["finding", "files", "consequence"], rows, "audit")
    assert max(map(len, lines)) <= 50
    assert [line.split() for line in lines[-3:]] == [
        ["same-lesion", "14", "kept", "in", "one", "split", "with", "all"],
        ["others", "of", "that", "lesion"],
        [],
    ]


@pytest.mark.parametrize("width", range(12, 120, 3))
def test_no_word_of_a_table_is_ever_cut(width):
    rows = [
        ["皮膚病変の写真.jpg", "0.9012 [0.8811, 0.9200]", "left out: it has no mask"],
        ["b", "1", "[bold]noted[/bold]"],
    ]
    text = "\n".join(table(width, ["file", "Dice", "consequence"], rows, "a title of some words"))
    for word in " ".join(part for row in rows for part in row).split():
        assert word in text


def test_a_wide_table_is_whole_where_there_is_no_terminal():
    lines = table(None, [f"column {number}" for number in range(40)], [["x" * 60] * 40])
    assert len(lines[2]) > 40 * 60
    assert len(lines) == 6


def test_long_titles_go_on_between_words():
    assert table(20, title="some.store, test split: 32 pictures in 16 groups")[:3] == [
        "some.store, test", "split: 32 pictures", "in 16 groups",
    ]  # fmt: skip


def test_colour_adds_nothing_but_styles():
    import re

    for width in (40, 200):
        assert [re.sub(r"\x1b\[[\d;]*m", "", line).rstrip() for line in table(width, colour=True)] == table(width)


def test_paragraphs_keep_their_words_and_their_own_indents():
    text = "2 of 3 inputs failed:\n  /a/very/long/path/that/has/no/room.jpg: is no picture"
    assert paragraph_text(text, 20, "  ").splitlines() == [
        "2 of 3 inputs",
        "  failed:",
        "  /a/very/long/path/that/has/no/room.jpg:",
        "    is no picture",
    ]
    assert paragraph_text(text, None) == text


TRAINED = [("epoch", "1"), ("lr", "0.001"), ("loss", "0.5"), ("img/s", "12.5"), ("dice", "0.9"), ("th. jaccard", "0.7")]


def test_a_growing_table_has_headings_once():
    with_names = growing_row(TRAINED, 80, with_headings=True)
    assert with_names[0].split() == ["epoch", "lr", "loss", "img/s", "dice", "th.", "jaccard"]
    assert growing_row(TRAINED, 80, with_headings=False) == with_names[1:]
    assert len({len(line) for line in with_names}) == 1


def test_a_growing_table_that_does_not_fit_names_each_value():
    assert growing_row(TRAINED, 40, with_headings=True) == [
        "epoch 1  lr 0.001  loss 0.5  img/s 12.5",
        "  dice 0.9  th. jaccard 0.7",
    ]


@pytest.mark.parametrize(
    ("choice", "variables", "on_terminal", "coloured"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),  # as no-color.org has it
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, False, False),
        ("always", {"NO_COLOR": "1", "TERM": "dumb"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_what_is_chosen_beats_variables_which_beat_the_terminal(choice, variables, on_terminal, coloured):
    assert wants_colour(Colour(choice), variables, on_terminal=on_terminal) is coloured


def test_names_of_files_cannot_move_the_cursor():
    assert printable("a\x1b[2Jb\x07\r\x9b é\t\n") == "a\\x1b[2Jb\\x07\\x0d\\x9b é\t\n"
