"""Programs that run in a terminal of a given size, and what a person sees of them."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.cells import cell_len

ERASE = "\r\x1b[J"
_STYLE = re.compile(r"\x1b\[[\d;]*m")


class InTerminal:
    """A program that is running; its stdin and stderr are the terminal, its stdout is unless it is said otherwise."""

    def __init__(
        self,
        command: Sequence[str],
        columns: int,
        *,
        folder: Path | None = None,
        variables: Mapping[str, str] | None = None,
        stdout: int | None = None,
    ) -> None:
        self._main, terminal = pty.openpty()
        self.resize(columns)
        inherited = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR"}}
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**inherited, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(variables or {})},
            stdin=terminal,
            stdout=terminal if stdout is None else stdout,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(terminal)
        self.shown = ""

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self._main, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def wait_for(self, text: str, seconds: float = 60) -> None:
        """Read on until this is shown."""
        ends = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < ends, f"not shown: {text!r} but {self.shown!r}"
            more = self._read()
            assert more, f"ended without showing {text!r}: {self.shown!r}"
            self.shown += more

    def press(self, key: str) -> None:
        os.write(self._main, key.encode())

    def end(self) -> int:
        """Read what is left, and return the exit code."""
        while more := self._read():
            self.shown += more
        os.close(self._main)
        return self.process.wait(60)

    def _read(self) -> str:
        """What came; nothing once the other end is closed, which Linux calls an error."""
        data = b""
        while True:
            try:
                more = os.read(self._main, 1 << 16)
            except OSError:
                return data.decode(errors="replace")
            data += more
            try:
                return data.decode()
            except UnicodeDecodeError:  # in the middle of a letter
                continue


def frames(shown: str) -> list[str]:
    """The bars that were drawn, one after the other, without styles."""
    drawn = re.findall(r"\r\x1b\[J([^\r\n]+)\r(?!\n)", _STYLE.sub("", shown))
    return [frame for frame in drawn if frame]


def left_on_screen(shown: str) -> list[str]:
    """The lines that stay; what was drawn over or erased is gone. Lines that are too long are not cut."""
    lines = [""]
    for part in re.split(r"(\r\n|\r\x1b\[J|\r)", _STYLE.sub("", shown)):
        if part == "\r\n":
            lines.append("")
        elif part == ERASE:
            lines[-1] = ""
        elif part != "\r" and part:
            assert "\x1b" not in part
            rest = lines[-1][len(part) :] if lines[-1] else ""
            lines[-1] = part + rest
    return lines


def width(line: str) -> int:
    """Cells of a line, without its styles."""
    return cell_len(_STYLE.sub("", line))
