"""Several downloads at once, under one bar."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

import httpx2

from lesionctl.errors import BadFile
from lesionctl.fetch.cache import Cache
from lesionctl.fetch.catalog import RemoteFile
from lesionctl.fetch.checksums import Digests
from lesionctl.fetch.network.download import Download, Policy, Stopped
from lesionctl.progress import Progress, Task

_LEAVE = 2.0  # seconds that threads have to end by themselves; one that waits for a silent server is left behind

Outcome = tuple[Path, Digests] | BadFile
"""A file in the cache and what it is known by, or why it is not there."""


def transfer(
    files: Sequence[RemoteFile],
    sizes: dict[str, int],
    cache: Cache,
    client: httpx2.Client,
    policy: Policy,
    progress: Progress,
) -> dict[str, Outcome]:
    """Bring files into the cache, several at once. One that fails does not stop the others.

    Args:
        files: What is missing.
        sizes: Bytes of each by name, where anybody knows them.
        cache: Where they go; it can be written to.
        client: Asks the servers.
        policy: How many at once, and how hard to try.
        progress: Hears of the bytes.

    Returns:
        For each file's name, what became of it.

    Raises:
        KeyboardInterrupt: Somebody stopped the program; what has come is kept for the next run.
    """
    begun = sum(part.stat().st_size for part in map(cache.part, files) if part.is_file())
    total = sum(sizes.values()) if len(sizes) == len(files) else None
    outcomes: dict[str, Outcome] = {}
    with progress.task("downloading", total, unit="bytes", done=begun) as task:
        task.note(f"0 of {len(files)} files")
        crew = _Crew(files, cache, client, policy, progress, task)
        try:
            while len(outcomes) < len(files):
                name, outcome = crew.next()
                outcomes[name] = outcome
                task.note(f"{len(outcomes)} of {len(files)} files")
        finally:
            crew.leave()
    return outcomes


class _Crew:
    """Threads that download one file after the other.

    They are daemons: a program that is stopped does not wait until the last of them has heard from its server.
    """

    def __init__(
        self,
        files: Sequence[RemoteFile],
        cache: Cache,
        client: httpx2.Client,
        policy: Policy,
        progress: Progress,
        task: Task,
    ) -> None:
        self._stop = Event()
        self._done: SimpleQueue[tuple[str, Outcome | BaseException]] = SimpleQueue()
        self._waiting: SimpleQueue[Download] = SimpleQueue()
        for file in files:
            self._waiting.put(Download(file, cache, client, policy, self._stop, progress, task))
        self._threads = [
            Thread(target=self._work, name=f"lesionctl-fetch-{number}", daemon=True)
            for number in range(min(policy.connections, len(files)))
        ]
        for thread in self._threads:
            thread.start()

    def next(self) -> tuple[str, Outcome]:
        """Wait for the next file that is done or has failed."""
        while True:
            try:
                name, outcome = self._done.get(timeout=0.2)  # a signal is heard between two waits
            except Empty:
                continue
            if isinstance(outcome, BaseException) and not isinstance(outcome, BadFile):
                raise outcome
            return name, outcome

    def leave(self) -> None:
        """Let the threads end."""
        self._stop.set()
        deadline = time.monotonic() + _LEAVE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                download = self._waiting.get_nowait()
            except Empty:
                return
            name = download.file.name
            try:
                self._done.put((name, download.run()))
            except Stopped:
                return
            except OSError as error:
                self._done.put((name, BadFile(name, f"cannot be written to the cache ({error.strerror or error})")))
            except BaseException as error:  # noqa: BLE001 - raised again where somebody can hear it
                self._done.put((name, error))
