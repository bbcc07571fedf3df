from __future__ import annotations

import json
import subprocess
import sys

import pytest

from lesionctl import __version__

COMMANDS = ["fetch", "prepare", "train", "eval", "predict", "export", "bench"]

HEAVY = {"torch", "timm", "albumentations", "cv2", "sklearn", "numpy", "PIL"}
# What Typer and others load to show or to read what need not be shown or read here.
SLOW = {"rich", "pydantic", "markdown_it", "pygments", "jinja2", "platformdirs", "tomllib", "ctypes"}

# Runs the program's main function and reports which modules it has imported.
SPY = """
import json, sys
sys.argv = ["lesionctl", *json.loads(sys.argv[1])]
from lesionctl.cli.main import main
try:
    main()
except SystemExit as end:
    code = end.code
print(json.dumps([code, sorted({name.split(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


def spy(*arguments: str) -> tuple[int | None, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", SPY, json.dumps(arguments)], capture_output=True, text=True, timeout=60, check=True
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    return code, set(modules)


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), *((name, "--help") for name in COMMANDS)])
def test_help_imports_nothing_heavy(arguments):
    code, modules = spy(*arguments)
    assert code in (0, None)
    assert not modules & (HEAVY | SLOW)


@pytest.mark.parametrize(
    ("arguments", "spared"),
    [
        (("predict",), HEAVY),
        (("no-such-command",), HEAVY | SLOW - {"rich"}),
        (("train", "store", "--no-such-option"), HEAVY | SLOW - {"rich"}),
        (("train", "store", "--arch", "unt"), HEAVY),
    ],
)
def test_usage_errors_import_nothing_heavy_and_exit_2(arguments, spared):
    code, modules = spy(*arguments)
    assert code == 2
    assert not modules & spared


def test_the_program_alone_shows_its_help_and_exits_2(lesionctl):
    done = lesionctl()
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout == lesionctl("--help").stdout


def test_help_of_a_command_is_shown_wherever_it_is_asked_for(lesionctl):
    shown = lesionctl("help", "predict").stdout
    for words in (("predict", "--help"), ("predict", "x", "--tta", "-h"), ("--quiet", "predict", "--help")):
        done = lesionctl(*words)
        assert (done.returncode, done.stdout, done.stderr) == (0, shown, "")


def test_help_names_every_subcommand(lesionctl):
    done = lesionctl("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


def test_version_is_the_package_s(lesionctl):
    done = lesionctl("--version")
    assert (done.returncode, done.stdout) == (0, f"lesionctl {__version__}\n")
