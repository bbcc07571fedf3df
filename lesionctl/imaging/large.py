"""Pictures so large that several at a time would not fit into memory."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from threading import RLock

HUGE = 2**25
"""A picture of more pixels takes hundreds of megabytes while it is decoded, or its mask is made and written."""

_TURN = RLock()


def one_huge_at_a_time(pixels: int) -> AbstractContextManager[object]:
    """Wait for one's turn, where a picture of so many pixels is huge; others go on beside it.

    Whoever has the turn may ask for it again.
    """
    return _TURN if pixels > HUGE else nullcontext()
