"""Whether packages can be imported, tried in another process: one that is built for another machine may end it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARK = "lesionctl tries "  # packages may print lines of their own
_SECONDS = 300.0  # a first import from a busy network file system takes a minute or two

# Those that are never imported by themselves: where their own doors are, and what is called there.
_DOORS = {
    "onnxruntime": ("lesionctl.runtime.onnxruntime_import", "import_onnxruntime"),
    "openvino": ("lesionctl.runtime.openvino_import", "import_openvino"),
    "timm": ("lesionctl.nets.timm_import", ""),
}
_PROGRAM = f"""
import importlib, json, os, sys
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
for name in sys.argv[1:]:
    print({_MARK!r} + json.dumps([name, None]), flush=True)
    try:
        module, door = {_DOORS!r}.get(name, (name, ""))
        module = importlib.import_module(module)
        if door:
            getattr(module, door)()
        wrong = ""
    except BaseException as error:
        wrong = " ".join(str(error).split()) or type(error).__name__
    print({_MARK!r} + json.dumps([name, wrong]), flush=True)
"""


def try_imports(names: Sequence[str], seconds: float = _SECONDS) -> dict[str, str]:
    """Import packages one after another, each whatever became of the others.

    Args:
        names: Top-level packages.
        seconds: How long a package may take.

    Returns:
        Those that cannot be imported, each with the reason in a line.
    """
    wrong: dict[str, str] = {}
    left = list(names)
    while left:
        tried, how_it_ended = _try(left, seconds)
        wrong |= {name: reason for name, reason in tried.items() if reason}
        if how_it_ended is not None:
            wrong[next((name for name in tried if tried[name] is None), left[0])] = how_it_ended
        left = [name for name in left if name not in tried and name not in wrong]
    return wrong


def _try(names: Sequence[str], seconds: float) -> tuple[dict[str, str | None], str | None]:
    """What became of each package that was reached: "" is good, None is how far it came; and why it ended too soon."""
    how_it_ended = None
    try:
        with tempfile.TemporaryDirectory(prefix="lesionctl-import-") as scratch:  # some leave folders there
            done = subprocess.run(
                [sys.executable, "-c", _PROGRAM, *names],
                capture_output=True,
                timeout=seconds,
                check=False,
                env={**os.environ, "TMPDIR": scratch},
            )
        output = done.stdout
        if done.returncode:
            how_it_ended = f"importing it ends the process ({_name_of(done.returncode)})"
    except subprocess.TimeoutExpired as error:
        output, how_it_ended = error.stdout or b"", f"importing it takes more than {seconds:.0f} seconds"
    lines = output.decode(errors="replace").splitlines()
    return dict(json.loads(line.removeprefix(_MARK)) for line in lines if line.startswith(_MARK)), how_it_ended


def _name_of(code: int) -> str:
    """Such as SIGILL: instructions that this processor has not."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
