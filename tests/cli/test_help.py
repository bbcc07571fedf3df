from __future__ import annotations

import json
import subprocess
import sys

import pytest

from lesionctl import __version__

COMMANDS = ["fetch", "prepare", "train", "eval", "predict", "export", "bench"]

HEAVY = {"torch", "timm", "albumentations", "cv2", "sklearn", "numpy", "PIL"}

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
    assert not modules & HEAVY


@pytest.mark.parametrize("arguments", [("predict",), ("no-such-command",), ("train", "store", "--no-such-option")])
def test_usage_errors_import_nothing_heavy_and_exit_2(arguments):
    code, modules = spy(*arguments)
    assert code == 2
    assert not modules & HEAVY


def test_help_names_every_subcommand(lesionctl):
    done = lesionctl("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


def test_version_is_the_package_s(lesionctl):
    done = lesionctl("--version")
    assert (done.returncode, done.stdout) == (0, f"lesionctl {__version__}\n")
