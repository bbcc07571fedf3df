"""`python -m lesionctl.cli.documents [FOLDER]` writes `man/` and `completions/` into a folder, by default this one."""

from __future__ import annotations

import sys
from pathlib import Path

from lesionctl import __version__
from lesionctl.atomic import write_text
from lesionctl.cli.completion.scripts import Shell
from lesionctl.cli.documents.man_pages import write_pages
from lesionctl.cli.documents.program import describe


def documents() -> dict[str, str]:
    """All that is written of the program, by its path in the repository."""
    from lesionctl.cli.main import app

    pages = write_pages(describe(app), __version__)
    scripts = {f"completions/{shell.file_name}": shell.script for shell in Shell}
    return {f"man/{name}": page for name, page in pages.items()} | scripts


def write(folder: Path) -> None:
    """Write them, and remove pages of what the program no longer has."""
    written = documents()
    for old in (folder / "man").glob("man?/*"):
        if str(old.relative_to(folder)) not in written:
            old.unlink()
    for name, text in written.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_text(folder / name, text)


if __name__ == "__main__":
    write(Path(*sys.argv[1:]))
