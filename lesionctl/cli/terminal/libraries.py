"""What libraries warn of: mostly what their authors should mend, and said only to whoever wants to know all."""

from __future__ import annotations

import warnings
from collections.abc import Callable


def hear_libraries(tell: Callable[[str], None] | None) -> None:
    """Pass on the warnings of libraries, and what they log, in one line each.

    Args:
        tell: Is given the line; None: warnings are dropped.
    """
    if tell is None:
        warnings.simplefilter("ignore")
    else:
        _pass_on(tell)


def _pass_on(tell: Callable[[str], None]) -> None:
    import logging

    class Passing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said = record.getMessage().splitlines()  # of a warning, the second line is its place in the source
            tell(said[0] if record.name == "py.warnings" else f"{record.name}: {' '.join(said)}")

    logging.captureWarnings(capture=True)
    logging.getLogger().addHandler(Passing(logging.WARNING))
