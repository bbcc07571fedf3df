from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lesionctl.cli.command_line import build_tree
from lesionctl.cli.documents.__main__ import documents, write
from lesionctl.cli.documents.man_pages import write_pages
from lesionctl.cli.documents.program import HELP_NAMES, Command, Example, Parameter, describe
from lesionctl.cli.documents.roff import prose
from lesionctl.cli.documents.topics import TOPICS
from lesionctl.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = sorted(str(file.relative_to(ROOT)) for file in (ROOT / "man").glob("man?/*"))
# A date would change the pages of a program that has not changed.
NO_DATE = 'missing date, using "": TH'


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def test_pages_and_scripts_in_the_repository_are_those_of_the_program():
    kept = {
        str(file.relative_to(ROOT)): file.read_text()
        for folder in ("man", "completions")
        for file in (ROOT / folder).rglob("*")
        if file.is_file()
    }
    assert kept == documents(), "python -m lesionctl.cli.documents writes them anew"


def test_writing_removes_the_page_of_what_is_gone(tmp_path):
    gone = tmp_path / "man" / "man1" / "lesionctl-gone.1"
    gone.parent.mkdir(parents=True)
    gone.write_text("")
    write(tmp_path)
    assert not gone.exists()
    assert (tmp_path / "man" / "man1" / "lesionctl.1").read_text().startswith('.\\" Written by')


def test_the_description_has_each_option_and_variable_of_typer_s_own_tree():
    tree = build_tree(app)
    described = describe(app)
    for command in (described, *described.commands):
        own = tree if command is described else tree.commands[command.name]
        prefix = "LESIONCTL_" if command is described else f"LESIONCTL_{command.name.upper()}_"
        options = [parameter for parameter in own.params if parameter.param_type_name == "option"]
        variables = {frozenset(option.opts): option.envvar for option in options if option.envvar}
        for names, variable in variables.items():
            assert variable == prefix + max(names, key=len).lstrip("-").replace("-", "_").upper()
        assert {name for option in options for name in option.opts} | set(HELP_NAMES) == {
            name for option in command.options for name in option.names
        }
        assert variables == {frozenset(option.names): option.variable for option in command.options if option.variable}
        assert [parameter.metavar for parameter in own.params if parameter.param_type_name == "argument"] == [
            argument.metavar for argument in command.arguments
        ]


@pytest.mark.parametrize("page", PAGES)
@needs("mandoc")
def test_mandoc_finds_nothing(page):
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", page],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert [line for line in done.stdout.splitlines() if NO_DATE not in line] == []


@pytest.mark.parametrize("page", PAGES)
@needs("man")
def test_man_warns_of_nothing(page):
    done = subprocess.run(
        ["man", "--warnings", "--local-file", page], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    if "unrecognized option" in done.stderr or "minimized" in done.stdout:
        pytest.skip("this man cannot show a page of its own")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_page_shows_panels_defaults_ranges_and_examples():
    command = Command(
        "draw",
        ("Draw -5 things.", ".dots begin this."),
        (Example("thing draw a\\b --side 3", "of three sides"), Example(f"thing draw {'long-word ' * 12}--red")),
        (
            Parameter(("--side",), "N", "In pixels.", default="8", panel="Size", lowest=1, variable="THING_DRAW_SIDE"),
            Parameter(("-r", "--red"), "", "Red lines – not blue."),
        ),
        (Parameter((), "WHERE", "A folder.", required=True),),
    )
    pages = write_pages(Command("thing", ("Do things.",), (), (), commands=(command,)), "1.0")
    assert sorted(pages) == [
        *("man1/thing-draw.1", "man1/thing.1"),
        *(f"man7/thing-{topic}.7" for topic in sorted(TOPICS)),
    ]
    page = pages["man1/thing-draw.1"]
    assert "\n\\fBthing\\fR \\fBdraw\\fR [\\fIOPTION\\fR]... \\fIWHERE\\fR\n" in page
    assert "\n\\&.dots begin this.\n" in page
    assert "\n.TP\n\\fB\\-r\\fR, \\fB\\-\\-red\\fR\nRed lines \\[u2013] not blue.\n" in page
    assert '\n.SS "Size"\n.TP\n\\fB\\-\\-side\\fR \\fIN\\fR\nIn pixels.\n.IP\nAt least 1. Default:\\~8.\n' in page
    assert "\n# of three sides\nthing draw a\\eb \\-\\-side 3\n" in page
    assert "long\\-word \\e\n    long\\-word" in page
    assert "\\fBthing\\-formats\\fR(7)" in page
    assert "\\fBTHING_DRAW_SIDE\\fR" in pages["man7/thing-environment.7"]


@pytest.mark.parametrize(
    ("text", "roff"),
    [
        ("with --pred-x.", "with \\fB\\-\\-pred\\-x\\fR."),
        ("well-known", "well-known"),
        ("*DIR* of scans/*.jpg and *.png", "\\fIDIR\\fR of scans/*.jpg and *.png"),
        ("see `a-b`", "see \\fBa\\-b\\fR"),
        ("LESIONCTL_CACHE_DIR moves it", "\\fBLESIONCTL_CACHE_DIR\\fR moves it"),
    ],
)
def test_names_of_options_and_variables_are_bold(text, roff):
    assert prose(text) == roff
