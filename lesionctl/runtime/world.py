"""Which of several processes this is, where they meet, how many share a machine: what the launcher says of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from lesionctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LAST_STEP = 0xFFFFFFF0
_FIRST_PORT, _PORTS = 10_000, 20_000  # below the ports that Linux lends to clients (32768 and up)


class World(NamedTuple):
    """A place among several processes.

    Attributes:
        rank: Number of this process, from 0.
        size: How many processes there are, at least 2.
        local_rank: Number of this process among those of its machine, from 0.
        address: Host of process 0.
        port: Port at which process 0 waits for the others.
    """

    rank: int
    size: int
    local_rank: int
    address: str
    port: int


def find_world(environ: Mapping[str, str]) -> World | None:
    """Read the place of this process from what torchrun, or else SLURM, put into its environment.

    torchrun (https://pytorch.org/docs/stable/elastic/run.html) sets RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and
    MASTER_PORT. SLURM's variables count only inside a step of several tasks, where srun started one process per task: a
    batch script and the shell of salloc run once, and have SLURM_PROCID=0 and the job's SLURM_NTASKS too. What tells
    a step (SLURM's source, src/common/env.c, `env_array_for_step` against `env_array_for_batch_job`): SLURM_STEP_ID and
    SLURM_STEP_NUM_TASKS, which a batch script does not get. The shell that salloc starts as an "interactive step" has
    a reserved number, 4294967290, as have batch and extern steps: those of real steps end at SLURM_MAX_NORMAL_STEP_ID,
    0xfffffff0 (slurm/slurm.h). Under SLURM, MASTER_ADDR and MASTER_PORT, where a person sets them, replace the first
    host of the step and the port that follows from the numbers of job and step.

    Args:
        environ: The environment of this process.

    Returns:
        This process's place; None where it works alone.

    Raises:
        UsageError: The variables contradict one another, or some are missing.
    """
    if "RANK" in environ and "WORLD_SIZE" in environ:
        return _world(environ, "RANK", "WORLD_SIZE", "LOCAL_RANK", environ)
    step = _step(environ)
    if step is None:
        return None
    job = environ.get("SLURM_JOB_ID", "")
    meeting = {
        "MASTER_ADDR": _first_host(environ.get("SLURM_STEP_NODELIST", "")),
        "MASTER_PORT": str(_FIRST_PORT + (31 * int(job or 0) + step) % _PORTS),
        **{name: environ[name] for name in ("MASTER_ADDR", "MASTER_PORT") if name in environ},
    }
    return _world(environ, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", meeting)


def processes_on_this_node(environ: Mapping[str, str]) -> int:
    """How many processes, this one too, share what this machine grants; they work on the same thing at the same time.

    torchrun says it (LOCAL_WORLD_SIZE); else it is the tasks of a step, see `tasks_on_this_node`. A step that starts
    torchrun has one task on each machine.

    Args:
        environ: The environment of this process.
    """
    local = environ.get("LOCAL_WORLD_SIZE", "")
    return max(1, int(local)) if local.isdigit() else tasks_on_this_node(environ)


def tasks_on_this_node(environ: Mapping[str, str]) -> int:
    """How many tasks of SLURM's step run on this machine; 1 outside of a step, see `find_world`.

    SLURM_STEP_TASKS_PER_NODE has a number for each machine of the step, "2,1(x3)" for 2, 1, 1, 1, and SLURM_NODEID is
    the place of this one. (SLURM_TASKS_PER_NODE is the job's: a batch script has it too, and is alone.)

    Args:
        environ: The environment of this process.
    """
    if _step(environ) is None:
        return 1
    written = re.findall(r"(\d+)(?:\(x(\d+)\))?", environ.get("SLURM_STEP_TASKS_PER_NODE", ""))
    numbers = [int(number) for number, times in written for _ in range(int(times or 1))]
    node = environ.get("SLURM_NODEID", "")
    return max(1, numbers[int(node)]) if node.isdigit() and int(node) < len(numbers) else 1


def is_started_by_torchrun(environ: Mapping[str, str]) -> bool:
    """Whether torchrun started this process, not a person who names the others by variables.

    Args:
        environ: The environment of this process.
    """
    return "TORCHELASTIC_RUN_ID" in environ


def device_of_process(name: str, local_rank: int, processes: int) -> str:
    """The device of one of several processes.

    Args:
        name: What a person asked for, see `choose_compute`.
        local_rank: Number of the process among those of its machine.
        processes: How many there are in all, for messages.

    Returns:
        "cuda:N", the local rank's GPU of those that this process sees, or "cpu".

    Raises:
        UsageError: `name` is no device that several processes can share.
    """
    if name == "cpu":
        return name
    import torch

    gpus = torch.cuda.device_count()
    if name == "auto" and not gpus:
        return "cpu"
    if name not in {"auto", "cuda"}:
        raise UsageError(
            f"{processes} processes cannot work together on the device '{name}'",
            hint="use --device cuda: each process takes its own GPU; or --device cpu",
        )
    if not gpus:
        return name  # refused where the device is chosen
    if 1 < gpus <= local_rank:
        raise UsageError(
            f"process {local_rank} of this machine has no GPU of its own: there are {gpus}",
            hint="start one process for each GPU",
        )
    return f"cuda:{local_rank % gpus}"  # a launcher may show each process its own GPU alone


def _world(
    environ: Mapping[str, str], rank: str, size: str, local_rank: str, meeting: Mapping[str, str]
) -> World | None:
    numbers = {name: environ.get(name, "") for name in (rank, size, local_rank)}
    numbers["MASTER_PORT"] = meeting.get("MASTER_PORT", "")
    if numbers[size] == "1":
        return None
    for name, text in numbers.items():
        if not text.isdigit():
            raise UsageError(
                f"{size}={numbers[size]} says that several processes work together, but {name} is "
                + (f"'{text}', no number" if text else "missing"),
                hint="start them with torchrun or srun, which set all of it, or unset these variables",
            )
    world = World(
        int(numbers[rank]),
        int(numbers[size]),
        int(numbers[local_rank]),
        meeting.get("MASTER_ADDR") or "localhost",
        int(numbers["MASTER_PORT"]),
    )
    if world.rank >= world.size:
        raise UsageError(f"{rank}={world.rank} is no process of {world.size}: they are numbered from 0")
    return world


def _step(environ: Mapping[str, str]) -> int | None:
    """Number of the step whose tasks srun started; None in a batch script, in salloc's shell and outside of SLURM."""
    step = environ.get("SLURM_STEP_ID", environ.get("SLURM_STEPID", ""))
    is_real = step.isdigit() and int(step) < _LAST_STEP and "SLURM_STEP_NUM_TASKS" in environ
    return int(step) if is_real else None


def _first_host(hosts: str) -> str:
    """The first of a list in SLURM's notation: gpu-[07-09,12],login → gpu-07; r[1-2]n[3-4] → r1n3."""
    first = re.match(r"(?:[^,\[]|\[[^\]]*\])*", hosts)
    return re.sub(r"\[([^\],-]+)[^\]]*\]", r"\1", first.group() if first else "")
