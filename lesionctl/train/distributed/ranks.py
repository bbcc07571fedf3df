"""Several processes that train one network together, on torch.distributed alone."""

from __future__ import annotations

import inspect
import os
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from lesionctl.errors import Interrupted, LesionctlError
from lesionctl.runtime.world import World, device_of_process, find_world
from lesionctl.train.distributed.heartbeat import Heartbeat, peer_lost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from torch import nn
    from torch.distributed import ProcessGroup, Store

    from lesionctl.runtime.device import Compute

T = TypeVar("T")

JOIN_TIMEOUT = timedelta(minutes=5)
"""How long the first process waits for the last one to come."""
TIMEOUT = timedelta(minutes=30)
"""How long a process waits in a collective for one that lives but does not come; a dead one is noticed far sooner."""


@dataclass(frozen=True)
class Ranks:
    """The processes of a training, seen from one of them.

    Every process must call the collective methods (`any`, `gather`, `mean`, `barrier`) in the same order. All of them
    raise LesionctlError where another process is gone. In a world of one they do nothing.

    Attributes:
        rank: Number of this process, from 0.
        world: How many processes there are.
        local_rank: Number of this process among those of its machine, from 0.
        group: The gloo group of all processes, for tensors on the CPU; None in a world of one.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    group: ProcessGroup | None = field(default=None, repr=False, compare=False)

    @property
    def first(self) -> bool:
        """Whether this is the one process that writes files."""
        return self.rank == 0

    def device(self, name: str) -> str:
        """The device of this process: see `device_of_process`; in a world of one, what a person asked for.

        Raises:
            UsageError: `name` is no device that several processes can share.
        """
        return name if self.world == 1 else device_of_process(name, self.local_rank, self.world)

    def wrap(self, net: nn.Module, compute: Compute) -> nn.Module:
        """The network with gradients averaged over all processes in `backward`; starts with rank 0's weights.

        Args:
            net: On its device, its norms synchronised (see `synchronise_norms`): buffers are not sent.
            compute: Where it is trained.

        Returns:
            A DistributedDataParallel; `net` itself in a world of one.
        """
        if self.world == 1:
            return net
        from torch.nn.parallel import DistributedDataParallel

        known = inspect.signature(DistributedDataParallel).parameters  # torch 2.13 has the first of the two names
        buffers = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
        options: dict[str, Any] = {buffers: False, "gradient_as_bucket_view": True}
        if compute.device.type == "cuda":
            options["device_ids"] = [compute.device.index]
        with _collective():
            return DistributedDataParallel(net, **options)

    def paused(self, wrapped: nn.Module) -> AbstractContextManager[object]:
        """A context whose backward passes add up gradients in each process alone, as all but the last of a step do.

        Args:
            wrapped: What `wrap` returned.
        """
        return nullcontext() if self.world == 1 else wrapped.no_sync()  # type: ignore[operator]

    def any(self, flag: bool) -> bool:
        """Whether `flag` is true in any process."""
        return self._sum(float(flag)) > 0

    def mean(self, value: float) -> float:
        """The mean of the processes' values, in float64."""
        return self._sum(value) / self.world

    def gather(self, value: T) -> list[T]:
        """The values of all processes in rank order, in every process.

        Args:
            value: Anything that can be pickled; tensors on the CPU.
        """
        if self.world == 1:
            return [value]
        import torch.distributed as dist

        values: list[T] = [value] * self.world
        with _collective():
            dist.all_gather_object(values, value, self.group)
        return values

    def barrier(self) -> None:
        """Wait until every process has come this far."""
        self._sum(0.0)

    def _sum(self, value: float) -> float:
        if self.world == 1:
            return value
        import torch
        import torch.distributed as dist

        total = torch.tensor(value, dtype=torch.float64)
        with _collective():
            dist.all_reduce(total, group=self.group)
        return total.item()


@contextmanager
def join_ranks() -> Iterator[Ranks]:
    """Join the processes that the launcher started, and leave them together.

    Collectives on CUDA tensors use NCCL, those on CPU tensors gloo. A block that ends well, or with Interrupted, ends
    when all processes have come there: launchers end the others as soon as one has failed. With any other exception
    this process leaves at once, and the others raise LesionctlError in their next collective, in `backward` too. A
    process that was killed is noticed at once by those that wait for it with gloo, and within 41 seconds by those that
    wait with NCCL (see `Heartbeat`, which also notices one that is frozen or whose machine is down).

    Raises:
        LesionctlError: The processes did not find one another within `JOIN_TIMEOUT`, or one of them is gone.
        UsageError: See `find_world`.
    """
    world = find_world(os.environ)
    if world is None:
        yield Ranks()
        return
    ranks, heartbeat = _join(world)
    failed = True
    try:
        try:
            yield ranks
        except Interrupted:
            ranks.barrier()
            failed = False
            raise
        except RuntimeError as error:
            if heartbeat.lost or _is_of_collective(error):
                raise peer_lost() from error
            raise
        ranks.barrier()
        failed = False
    finally:
        heartbeat.stop(failed=failed)
        _leave(failed)


def _join(world: World) -> tuple[Ranks, Heartbeat]:
    import torch
    import torch.distributed as dist

    number = next(_JOINED)
    try:
        store, watched = (dist.PrefixStore(f"lesionctl/{number}", connection) for connection in _connect(world))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, store=store, rank=world.rank, world_size=world.size, timeout=TIMEOUT)
        group = dist.new_group(backend="gloo", timeout=TIMEOUT)
    except RuntimeError as error:
        raise LesionctlError(
            f"process {world.rank} did not find all {world.size} processes of this training at "
            f"{world.address}:{world.port} ({error})",
            hint="start all of them within 5 minutes; where the port is taken, set another MASTER_PORT; "
            "to train with one process, unset WORLD_SIZE and SLURM_STEP_NUM_TASKS",
        ) from error
    return Ranks(world.rank, world.size, world.local_rank, group), Heartbeat(watched, world.rank, world.size)


_JOINED = count()  # trainings of this process; each has keys of its own: the store, torchrun's too, keeps those before


@cache  # for all trainings of this process: a store that came again at the same port could be taken for the one before
def _connect(world: World) -> tuple[Store, Store]:
    """Two connections to the processes' common store, the second for the heartbeat."""
    import torch.distributed as dist

    def meet() -> Store:
        url = f"tcp://{world.address}:{world.port}"
        store, _, _ = next(dist.rendezvous(url, world.rank, world.size, timeout=JOIN_TIMEOUT))
        return store

    store, watched = meet(), meet()
    watched.set_timeout(timedelta(seconds=10))
    return store, watched


def _leave(failed: bool) -> None:
    import torch
    import torch.distributed as dist

    if failed and torch.cuda.is_available():
        # NCCL's orderly end waits for all processes; nothing public ends it without them.
        dist.distributed_c10d._abort_process_group()
    else:
        dist.destroy_process_group()


@contextmanager
def _collective() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise peer_lost() from error


def _is_of_collective(error: RuntimeError) -> bool:
    """Whether NCCL, a store or gloo raised it; gloo has no type of its own but names its source files."""
    import torch.distributed as dist

    return isinstance(error, dist.DistError) or "/gloo/" in str(error)
