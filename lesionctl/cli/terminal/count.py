"""How far a piece of work is, in words."""

from __future__ import annotations

import time
from threading import Lock

from lesionctl.progress import Unit, format_bytes


class Count:
    """How much of a piece of work is done; several threads may add to it.

    Args:
        description: What is done, in a word or two.
        total: How many steps there are; None: nobody knows.
        unit: Whether the steps are bytes.
        done: How many were done before, and say nothing of how fast it goes.

    Attributes:
        note: A few words about where it is.
    """

    def __init__(self, description: str, total: int | None, unit: Unit, done: int) -> None:
        self.description = description
        self.total = total
        self.done = self._before = done
        self.note = ""
        self._bytes = unit == "bytes"
        self._began = time.monotonic()
        self._lock = Lock()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    @property
    def share(self) -> float | None:
        """How much of the whole is done, from 0 to 1; None where nobody knows."""
        return None if not self.total else min(1.0, max(0.0, self.done / self.total))

    def add(self, steps: int) -> None:
        """So many more are done."""
        with self._lock:
            self.done += steps

    def amount(self) -> str:
        """Such as `12/400` or `1.2/10.4 GB`."""
        if self._bytes:
            return format_bytes(self.done, self.total)
        return str(self.done) if self.total is None else f"{self.done}/{self.total}"

    def longest_amount(self) -> str:
        """The amount when all is done; of bytes, about as long as the others."""
        return format_bytes(self.total or 0, self.total) if self._bytes else f"{self.total}/{self.total}"

    def percent(self) -> str:
        """Such as `3%`; 100 only where all is done."""
        return "" if self.share is None else f"{int(100 * self.share)}%"

    def rate(self) -> str:
        """Such as `3.1/s`, or `25 s each`; nothing where nothing is done yet."""
        rate = self._rate()
        if rate <= 0:
            return ""
        if self._bytes:
            return f"{format_bytes(rate)}/s"
        return f"{rate:.1f}/s" if rate >= 0.1 else f"{1 / rate:.0f} s each"

    def time_left(self) -> str:
        """Such as `4 min left`; nothing where nobody can know."""
        rate = self._rate()
        if self.total is None or rate <= 0 or self.done >= self.total:
            return ""
        seconds = (self.total - self.done) / rate
        if seconds < 90:
            return f"{seconds:.0f} s left"
        return f"{seconds / 60:.0f} min left" if seconds < 5400 else f"{seconds / 3600:.1f} h left"

    def _rate(self) -> float:
        return max(self.done - self._before, 0) / max(self.seconds, 1e-9)


def in_words(seconds: float) -> str:
    """A time as people say it: `4.2 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
