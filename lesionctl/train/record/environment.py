"""`environment.json`: on what, with what and by which command a run was made."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionctl.nets.model_file import read_model_spec
from lesionctl.runtime.environment import describe_environment
from lesionctl.runtime.load import digest_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.runtime.device import Compute

# No SLURM variable that holds a user, an account, a host or a directory.
_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "CUBLAS_WORKSPACE_CONFIG",
    "PYTORCH_CUDA_ALLOC_CONF",
    "NCCL_DEBUG",
    "SLURM_JOB_ID",
    "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_RESTART_COUNT",
    "SLURM_JOB_PARTITION",
    "SLURM_NNODES",
    "SLURM_STEP_TASKS_PER_NODE",
    "SLURM_CPUS_ON_NODE",
    "LOCAL_WORLD_SIZE",
    "SLURM_NTASKS",
    "SLURM_CPUS_PER_TASK",
    "SLURM_GPUS_ON_NODE",
    "SLURM_MEM_PER_NODE",
)


def describe_run(compute: Compute, processes: int, teachers: Sequence[str] = ()) -> dict[str, Any]:
    """The environment of a training process, in JSON's forms.

    It names no user and no host; the command stands as it was typed. Of the `LESIONCTL_*` variables it tells the names:
    their values are options, which config.toml holds, or places.

    Args:
        compute: Where and in which precision this process computes.
        processes: How many train together.
        teachers: Files of the models that teach; of each the name and the digest are told.
    """
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        **describe_environment(),
        "device": str(compute.device),
        "precision": str(compute.precision),
        "processes": processes,
        "teachers": [{"name": read_model_spec(Path(file)).name, "sha256": digest_of(Path(file))} for file in teachers],
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "options_from_variables": sorted(name for name in os.environ if name.startswith("LESIONCTL_")),
    }
