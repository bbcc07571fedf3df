"""Put a shell's script where the shell finds it without being told, or tell it."""

from __future__ import annotations

import os
from pathlib import Path

import shellingham

from lesionctl.atomic import write_text
from lesionctl.cli.completion.scripts import Shell
from lesionctl.errors import UsageError


def shell_in_use() -> Shell:
    """The shell that started the program.

    Raises:
        UsageError: It is another one, or there is none.
    """
    try:
        name = shellingham.detect_shell()[0]
    except shellingham.ShellDetectionFailure as error:
        raise UsageError("no shell was found that this could be for", hint=_HINT) from error
    if name not in list(Shell):
        raise UsageError(f"there is no completion for {name}", hint=_HINT)
    return Shell(name)


def install(shell: Shell) -> tuple[Path, Path | None]:
    """Write a shell's script into a person's own folders.

    Returns:
        The script, and the start-up file that a line was added to; None: the shell needs none, or had it already.

    Raises:
        OSError: A file cannot be written.
    """
    home = Path.home()
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    script = {
        Shell.BASH: data / "lesionctl" / Shell.BASH.file_name,
        Shell.ZSH: data / "lesionctl" / Shell.ZSH.file_name,
        Shell.FISH: config / "fish" / "completions" / Shell.FISH.file_name,
    }[shell]
    script.parent.mkdir(parents=True, exist_ok=True)
    write_text(script, shell.script)
    if shell is Shell.BASH:
        return script, _add_line(home / ".bashrc", f'source "{script}"')
    if shell is Shell.ZSH:
        start = Path(os.environ.get("ZDOTDIR") or home) / ".zshrc"
        return script, _add_line(start, f'fpath=("{script.parent}" $fpath); autoload -Uz compinit && compinit')
    return script, None


def _add_line(start: Path, line: str) -> Path | None:
    """Add a line to a start-up file that lacks it, through the link that the file may be."""
    before = start.read_text(errors="surrogateescape") if start.exists() else ""
    if line in before.splitlines():
        return None
    with start.open("a", encoding="utf-8") as file:
        file.write(("\n" if before and not before.endswith("\n") else "") + line + "\n")
    return start


_HINT = f"--show-completion prints the script for one of these: {', '.join(Shell)}"
