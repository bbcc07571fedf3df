"""How many processors this process may use, and work spread over them."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, TypeVar

from lesionctl.runtime.grants import cpu_quota, cpus_from_slurm, cpus_in_mask, cpus_of_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")
R = TypeVar("R")


def available_cpus() -> int:
    """Processors that this process may use: its affinity mask, bounded by what SLURM and control groups grant it."""
    quota = _quota()
    bounds = (cpus_in_mask() or cpus_of_machine(), cpus_from_slurm(), None if quota is None else ceil(quota))
    return max(1, min(bound for bound in bounds if bound is not None))


@cache
def _quota() -> float | None:
    return cpu_quota()  # from files, and it is asked for with each batch


def parallel_map(function: Callable[[T], R], items: Iterable[T], workers: int | None = None) -> Iterator[R]:
    """Yield `function(item)` for each item, in order, computed by threads a few items ahead of the reader.

    Memory is bounded: at most two results per worker wait, however slow the reader and however many the items.

    Args:
        function: Releases the interpreter lock for most of its time (decoding, resizing, writing do).
        items: What to work on; read lazily.
        workers: Threads; as many as `available_cpus()` by default.
    """
    workers = workers or available_cpus()
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="lesionctl") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
