"""Where the program starts: it listens to signals before it loads what takes time, and ends as they ask.

Training, prediction and `fetch` save their state at a signal and leave with 75. Everywhere else, and while the program
is being loaded, a signal ends it in an orderly way: one line, files whole or not there, and a process that has died of
that signal, so that a shell's loop around it ends too.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from types import FrameType

_SAID = {signal.SIGINT: "interrupted", signal.SIGTERM: "ended by SIGTERM"}
_BY_SHELL = 128  # and the signal's number is what shells tell of a process that died of it


class Terminated(KeyboardInterrupt):
    """SIGTERM came; whatever tidies up at Ctrl-C does so here too."""


class Ending:
    """The signal that is ending the program, if one is."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._process = 0

    def listen(self) -> None:
        """Have SIGINT and SIGTERM raise `KeyboardInterrupt`; the same one once more ends the process at once."""
        self._process = os.getpid()
        for number in _SAID:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as in the background, and under nohup
                signal.signal(number, self._on_signal)

    def what(self) -> str:
        """What is said of it."""
        return _SAID[signal.Signals(self.number or signal.SIGINT)]

    def code(self) -> int:
        """What the shell will see of it."""
        return _BY_SHELL + (self.number or signal.SIGINT)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() != self._process:  # a fork that has not replaced the handler is to die as it would without it
            signal.raise_signal(number)
            return
        self.number = number
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


ending = Ending()


def main() -> None:
    """Run the program and leave with its exit code."""
    codes: list[int] = []
    atexit.register(_die_of_signal, codes)  # what is registered first is called last
    try:
        ending.listen()
        from lesionctl.cli.main import main as run

        run()
    except KeyboardInterrupt:
        _leave_while_loading(codes)
    except SystemExit as end:
        codes.append(end.code if isinstance(end.code, int) else 0)
        raise
    except Exception:
        if ending.number is None:
            raise
        _leave_while_loading(codes)  # an import that is interrupted may raise anything


def _leave_while_loading(codes: list[int]) -> None:
    print(f"error: {ending.what()}", file=sys.stderr)  # noqa: T201 - the Terminal is not loaded yet
    codes.append(ending.code())
    sys.exit(ending.code())


def _die_of_signal(codes: list[int]) -> None:
    """Die of the signal that the exit code tells of; a bare exit code would let a shell's loop go on."""
    number = codes[-1] - _BY_SHELL if codes else 0
    if os.name == "posix" and number in {signal.SIGINT, signal.SIGTERM, signal.SIGPIPE}:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
