"""Write lesionctl.svg, what a terminal shows of a real session: `python tests/transcripts/picture.py`."""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from pseudo_terminal import ERASE, InTerminal
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

PICTURE = Path(__file__).with_name("lesionctl.svg")
COLUMNS = 100
TYPED = (
    "lesionctl fetch demo --to demo --count 12",
    "lesionctl predict demo/images --out masks --csv masks.csv | tail -3",
    "lesionctl eval --pred masks --thruth demo/masks",
    "lesionctl eval --pred masks --truth demo/masks | head -21",
)
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"


def left(shown: str) -> str:
    """What stays on the screen, styles included: bars are drawn over and erased."""
    lines = [""]
    for part in re.split(r"(\r\n|\r\x1b\[J|\r)", shown):
        if part == "\r\n":
            lines.append("")
        elif part in {ERASE, "\r"}:
            lines[-1] = ""
        else:
            lines[-1] += part
    return "\n".join(lines).rstrip()


def play(command: str, folder: Path) -> str:
    """Run a command in a terminal; returns what it leaves there."""
    variables = {
        "FORCE_COLOR": "1",
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "XDG_CONFIG_HOME": str(folder),
    }
    terminal = InTerminal(["bash", "-c", command], COLUMNS, folder=folder, variables=variables)
    code = terminal.end()
    assert code == (2 if "thruth" in command else 0), terminal.shown
    return left(terminal.shown)


def paint(screens: list[tuple[str, str]]) -> str:
    """The SVG of commands and what they left; its letters are of whatever fixed-width font is at hand."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for number, (command, screen) in enumerate(screens):
        program, rest = command.split(" ", 1)
        console.print("\n" * bool(number) + f"[bold green]$[/] [bold]{program}[/] ", end="")
        console.print(Text(rest))
        console.print(Text.from_ansi(screen), no_wrap=True, crop=True)
    svg = console.export_svg(title="lesionctl", theme=MONOKAI, unique_id="lesionctl")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"font-family: Fira Code, monospace", f"font-family: {FONTS}", svg)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PICTURE.write_text(paint([(command, play(command, Path(folder))) for command in TYPED]))
