"""Shells that are driven through a terminal, key by key, as a person does."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

HOME_KEY, ENTER, TAB = "\x01", "\r", "\t"
ALL_IN_BASH, ALL_IN_ZSH = "\x1b*", "\x18a"
_SAID = re.compile(r"<<(.*?)>>")
_PROMPT = re.compile(r"(what's next\?) ")

_BASH = r"""
PS1="what's next? "
said() { printf '<<'; printf '%s|' "$@"; printf '>>\n'; }
source completions/lesionctl.bash
"""

# What inserts all that could come next is from zsh's manual, at _all_matches.
_ZSH = r"""
PS1="what's next? "
said() { printf '<<'; printf '%s|' "$@"; printf '>>\n' }
fpath=(completions $fpath)
autoload -Uz compinit && compinit -D -u
zle -C all-matches complete-word _generic
zstyle ':completion:all-matches::::' completer _all_matches _complete
zstyle ':completion:all-matches:*' insert true
bindkey -e
bindkey '^Xa' all-matches
"""


def type_in_bash(keys: Sequence[str], folder: Path, variables: Mapping[str, str]) -> list[list[str]]:
    """The words of bash's command lines after these keys; `completions/` lies in the folder."""
    start = folder / ".start"
    start.write_text(_BASH)
    return _type_in(["bash", "--noprofile", "--rcfile", str(start), "-i"], keys, folder, variables)


def type_in_zsh(keys: Sequence[str], folder: Path, variables: Mapping[str, str]) -> list[list[str]]:
    """The words of zsh's command lines after these keys; `completions/` lies in the folder."""
    (folder / ".zshrc").write_text(_ZSH)
    return _type_in(["zsh", "-d", "-i"], keys, folder, {**variables, "ZDOTDIR": str(folder)})


def offered_by_fish(lines: Sequence[str], folder: Path, variables: Mapping[str, str]) -> list[list[str]]:
    """What fish offers at the ends of lines, without the meanings; `completions/` lies in the folder."""
    asked = "source completions/lesionctl.fish; for line in $argv; complete --do-complete $line; echo; end"
    done = subprocess.run(
        ["fish", "--no-config", "-c", asked, *lines],
        cwd=folder, env=variables, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    answers = done.stdout.removesuffix("\n\n").split("\n\n")
    return [[offer.partition("\t")[0] for offer in answer.splitlines()] for answer in answers]


def _type_in(shell: Sequence[str], keys: Sequence[str], folder: Path, variables: Mapping[str, str]) -> list[list[str]]:
    """The words of the command lines after these keys, as the shell then takes them apart."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        shell, stdin=child, stdout=child, stderr=child, cwd=folder, env=variables, start_new_session=True
    )
    os.close(child)
    lines = []
    try:
        for typed in keys:
            _read_until(parent, _PROMPT)
            os.write(parent, f"{typed}{HOME_KEY}said {ENTER}".encode())
            lines.append(_read_until(parent, _SAID).split("|")[:-1])
    finally:
        process.kill()
        process.wait()
        os.close(parent)
    return lines


def _read_until(terminal: int, expected: re.Pattern[str]) -> str:
    """Read up to what is expected; its group."""
    seen = ""
    while True:
        found = expected.search(seen)
        if found:
            return found[1]
        assert select.select([terminal], [], [], 60)[0], seen
        seen += os.read(terminal, 1).decode(errors="replace")
