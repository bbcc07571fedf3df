"""How many processors this process may use, and work spread over them."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, TypeVar

from lesionctl.runtime.grants import (
    cpu_quota,
    cpus_from_slurm,
    cpus_in_mask,
    cpus_of_launcher,
    cpus_of_machine,
    cpus_of_node_from_slurm,
)
from lesionctl.runtime.world import is_started_by_torchrun, processes_on_this_node, tasks_on_this_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")
R = TypeVar("R")


def available_cpus() -> int:
    """Processors that this process may use: its affinity mask, bounded by what SLURM and control groups grant it.

    Several processes that work together on this machine have the same mask, or each its own. torchrun binds none of
    them, unless it is told to (`--numa-binding`); srun gives each task a mask of its own where their number fits the
    cores, or where the cluster is set up so, else all of them that of the whole step (SLURM's source,
    src/plugins/task/affinity/dist_tasks.c, "auto binding off"). A mask does not say which it is. So it is not divided:
    it is bounded by an equal share of what all of them have together, which a mask of its own does not exceed. That is
    SLURM_CPUS_ON_NODE under srun; where another launcher started them on this machine, the mask of that launcher too.
    A group's quota is always shared. SLURM_CPUS_PER_TASK is a task's own, and may be larger than what torchrun leaves
    to each process within that task.
    """
    bounds = [cpus_in_mask() or cpus_of_machine(), cpus_from_slurm(), *_equal_shares()]
    return max(1, min(bound for bound in bounds if bound is not None))


def _equal_shares() -> Iterator[int]:
    """What is granted to all processes of this machine together, divided among them."""
    processes, quota = processes_on_this_node(os.environ), _quota()
    if quota is not None:
        yield ceil(quota / processes)
    if processes > 1:
        together = [cpus_of_node_from_slurm()]
        if tasks_on_this_node(os.environ) == 1:  # else the launcher of this process may itself be bound, as one task
            together.append(cpus_of_launcher() or cpus_of_machine())
        yield from (count // processes for count in together if count is not None)


def threads_are_chosen() -> bool:
    """Whether a person chose how many threads compute, with OMP_NUM_THREADS.

    Where torchrun starts several processes and nobody chose, it sets 1 itself (torch/distributed/run.py), so as not to
    overload the machine. Nothing tells that 1 from a person's. It is taken for torchrun's: each process's equal share
    of the processors does not overload the machine either, and one thread would leave most of it idle. Who wants a
    single thread under torchrun starts it with `taskset`, or as many processes as there are processors.
    """
    by_torchrun = is_started_by_torchrun(os.environ) and processes_on_this_node(os.environ) > 1
    return os.environ.get("OMP_NUM_THREADS") not in ({None, "1"} if by_torchrun else {None})


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
