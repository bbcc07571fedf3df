"""One line at the foot of the terminal that says how far the work is, and is drawn over as it goes on.

The cursor rests at the beginning of that line. So whatever a terminal does to a line when it is made narrower, all that
became of it lies from the cursor on, and is erased with it; and there is no hidden cursor that a program which is
killed could leave behind.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING

from lesionctl.cli.terminal.streams import discard, printable, width_of

if TYPE_CHECKING:
    from lesionctl.cli.terminal.count import Count

_EVERY = 0.1  # seconds between two drawings; what is done sooner is never drawn
_ERASE = "\r\x1b[J"  # to the end of the screen: below the bar there is nothing
_GAP = "  "
_LONGEST_BAR, _SHORTEST_BAR = 24, 8
_SHORTEST_NAME, _SHORTEST_NOTE = 4, 8


class BarLine:
    """The line, on standard error; where several pieces of work are open, it shows that which began last."""

    def __init__(self) -> None:
        self.colour = False
        self._open: list[_Bar] = []
        self._drawn = ""
        self._lock = RLock()
        self._end = Event()

    @contextmanager
    def showing(self, count: Count) -> Iterator[None]:
        """Show a piece of work for as long as the block lasts; nothing of it stays."""
        bar = _Bar(count)
        with self._lock:
            self._open.append(bar)
            if len(self._open) == 1:
                self._end = Event()
                Thread(target=self._keep_drawing, args=(self._end,), daemon=True, name="lesionctl-bar").start()
        try:
            yield
        finally:
            with self._lock:
                self._open.remove(bar)
                if not self._open:
                    self._end.set()
                    self._write(_ERASE if self._drawn else "")
                    self._drawn = ""

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Make way for lines that stay; they have to end with an end of line."""
        with self._lock:
            if self._drawn:
                self._write(_ERASE)
            try:
                yield
            finally:
                self._write(self._drawn)

    def _keep_drawing(self, end: Event) -> None:
        while not end.wait(_EVERY):
            with self._lock:
                if not end.is_set():
                    frame = self._open[-1].draw(width_of(sys.stderr), sys.stderr.encoding or "ascii", self.colour)
                    self._drawn = f"{_ERASE}{frame}\r"
                    self._write(self._drawn)

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):  # the terminal is gone
            discard(sys.stderr)


class _Bar:
    """How one piece of work looks; its columns keep the places that they had."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._widths = {} if count.total is None else {"amount": len(count.longest_amount()), "percent": len("100%")}

    def draw(self, columns: int, encoding: str, colour: bool) -> str:
        """The line, narrower than the terminal: what matters least is left out first.

        Args:
            columns: Of the terminal.
            encoding: What the terminal is told in.
            colour: Whether the done part of the bar is told from the rest by its colour.
        """
        from rich.cells import cell_len

        count, room = self._count, columns - 1  # some terminals go to the next line after the last column
        amount = count.amount() if count.done or count.total else f"{count.seconds:.0f} s"
        padded = self._pad("amount", amount)
        amount = padded if len(padded) <= room else _shortened(amount, room, encoding)
        percent = self._pad("percent", count.percent())
        room -= cell_len(amount)
        shown = {"amount": amount}

        def add(name: str, text: str) -> None:
            nonlocal room
            if text and cell_len(text) + len(_GAP) <= room:
                shown[name] = text
                room -= cell_len(text) + len(_GAP)

        add("percent", percent)
        longest = min(room - len(_GAP), columns // 2)
        if longest >= _SHORTEST_NAME:
            add("description", _shortened(count.description, longest, encoding))
        add("left", self._pad("left", count.time_left()))
        longest = min(room - len(_GAP), columns // 3)
        if longest >= _SHORTEST_NOTE:
            add("note", _shortened(count.note, longest, encoding))
        add("rate", self._pad("rate", count.rate()))
        if count.share is not None and room >= _SHORTEST_BAR + len(_GAP):
            add("bar", _bar(count.share, min(_LONGEST_BAR, room - len(_GAP)), encoding))
        line = _GAP.join(shown[name] for name in _ORDER if name in shown).rstrip()
        return _coloured(line, shown["bar"]) if colour and "bar" in shown else line

    def _pad(self, name: str, text: str) -> str:
        """Widths grow and never shrink: columns do not jump."""
        self._widths[name] = max(self._widths.get(name, 0), len(text))
        return text.rjust(self._widths[name])


_ORDER = ("description", "bar", "amount", "percent", "rate", "left", "note")


def _shortened(text: str, cells: int, encoding: str) -> str:
    """A text in so many cells at most, in what the terminal can show; wide characters take two."""
    from rich.cells import cell_len, set_cell_size

    text = printable(" ".join(text.split())).encode(encoding, "backslashreplace").decode(encoding)
    if cell_len(text) <= cells:
        return text
    dots = "…" if _has(encoding, "…") else "..."
    return set_cell_size(text, max(0, cells - len(dots))).rstrip() + dots if cells > len(dots) else ""


def _bar(share: float, cells: int, encoding: str) -> str:
    done = int(share * cells)
    full, empty = ("━", "─") if _has(encoding, "━─") else ("#", "-")
    return full * done + empty * (cells - done)


def _coloured(line: str, bar: str) -> str:
    before, _, after = line.partition(bar)
    done = bar.rstrip("─-")
    return f"{before}\x1b[32m{done}\x1b[39;2m{bar[len(done) :]}\x1b[0m{after}"


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
