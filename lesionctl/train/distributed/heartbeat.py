"""How the processes of a training notice that one of them is gone, wherever they wait at that moment."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

from lesionctl.errors import ExitCode, LesionctlError

if TYPE_CHECKING:
    from torch.distributed import Store

BEAT = 2.0
"""Seconds between two signs of life."""
MISSED = 12
"""So many beats without a sign of another process mean that it is gone."""
GRACE = 15.0
"""Seconds that this process then has to end by itself."""

_FAILED = -(10**9)


class Heartbeat:
    """A thread that gives signs of life in a store and watches those of the others.

    gloo itself notices at once that the process at the other end was killed; NCCL does not, and neither does where a
    process is frozen or its machine has lost power. A thread of Python cannot interrupt a collective of NCCL: a process
    that still waits in one `GRACE` seconds after another is known to be gone is ended here. No file suffers: all appear
    whole or not at all. From a death to that end are at most `BEAT · (MISSED + 1) + GRACE` = 41 seconds.

    Args:
        store: A connection of its own to the processes' common store: others block theirs for minutes.
        rank: Number of this process.
        world: How many processes there are.
    """

    def __init__(self, store: Store, rank: int, world: int) -> None:
        self._store = store
        self._rank = rank
        self._others = [other for other in range(world) if other != rank]
        self._left = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="lesionctl-heartbeat", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> bool:
        """Whether another process is known to be gone."""
        return self._lost.is_set()

    def stop(self, *, failed: bool) -> None:
        """End the thread.

        Args:
            failed: Whether the others must learn that this process will not come back.
        """
        self._left.set()
        self._thread.join()
        if failed and not self.lost:
            try:
                self._beat(_FAILED)
            except RuntimeError:  # the store is gone, and so is its host: nobody is left to tell
                return

    def _beat(self, count: int) -> None:
        self._store.add(f"heartbeat/{self._rank}", count)

    def _watch(self) -> None:
        seen, missed = dict.fromkeys(self._others, 0), dict.fromkeys(self._others, 0)
        while not self._left.wait(BEAT):
            try:
                self._beat(1)
                for other in self._others:
                    beats = self._store.add(f"heartbeat/{other}", 0)
                    missed[other] = missed[other] + 1 if beats == seen[other] else 0
                    seen[other] = beats
            except RuntimeError:  # the host of the store is gone
                break
            if max(missed.values()) >= MISSED or min(seen.values()) < 0:
                break
        else:
            return
        self._lost.set()
        if not self._left.wait(GRACE):
            logging.getLogger(__name__).critical("%s; %s", PEER_LOST, PEER_LOST_HINT)
            os._exit(ExitCode.FAILED)


PEER_LOST = "another process of this training has ended, or cannot be reached"
PEER_LOST_HINT = "its own last lines say why; the last saved state is kept: the same command goes on from there"


def peer_lost() -> LesionctlError:
    """What to raise where another process is gone."""
    return LesionctlError(PEER_LOST, hint=PEER_LOST_HINT)
