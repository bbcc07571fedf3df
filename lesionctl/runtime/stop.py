"""A request to stop, from a person or a batch system, honoured at the end of a step."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIGNALS = ("SIGINT", "SIGTERM", "SIGUSR1")  # Ctrl-C, a batch system's end, its warning before the end

_INSISTENCE = 1.0  # seconds: launchers may pass on at once what the process was sent itself


class StopRequest:
    """Whether somebody asked to stop."""

    def __init__(self) -> None:
        self.signal: str | None = None

    def __bool__(self) -> bool:
        """True once a signal came."""
        return self.signal is not None


@contextmanager
def listen_for_stop() -> Iterator[StopRequest]:
    """Turn SIGINT, SIGTERM and SIGUSR1 into a request for as long as the block lasts.

    The same signal once more, a second later or more, ends the process at once: a person has no patience left. Another
    one does not, as a batch system's end follows its warning.

    Outside the main thread, where Python takes no signals, nothing is ever requested.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    first: dict[int, float] = {}

    def on_signal(number: int, _: object) -> None:
        now = time.monotonic()
        if now - first.setdefault(number, now) >= _INSISTENCE:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        request.signal = signal.Signals(number).name

    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
