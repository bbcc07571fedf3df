"""What holds for all subcommands: exit codes, and the variables that are no option's."""

from __future__ import annotations

from lesionctl.errors import ExitCode
from lesionctl.paths import CACHE_VARIABLE

EXIT_CODES = {
    ExitCode.DONE: "Done.",
    ExitCode.FAILED: "Failed.",
    ExitCode.USAGE: "The command makes no sense as typed.",
    ExitCode.SOME_INPUTS_FAILED: "Some inputs failed and are named, the rest are done.",
    ExitCode.GATE_FAILED: "A gate failed: an exported model differs from its original, splits overlap, test pictures "
    "were seen in training, or a figure is below --fail-under.",
    ExitCode.INTERRUPTED: "Interrupted with the state saved: the same command goes on.",
}

VARIABLES = {
    CACHE_VARIABLE: "Where fetched sets, weights of encoders and converted models are kept, in place of the user's own "
    "cache. It may be shared and read-only on nodes without a network.",
    "HF_HUB_OFFLINE": "1 keeps train from asking the hub for weights, as --offline does.",
    "NO_COLOR, FORCE_COLOR": "Where set, nothing is coloured, or all is that would be on a terminal.",
    "COLUMNS": "Width of tables and help, in characters, in place of the terminal's.",
    "SLURM_CPUS_PER_TASK, SLURM_MEM_PER_NODE": "The processors and the memory that SLURM grants: no more are used.",
    "SLURM_ARRAY_TASK_ID": "In a job array, predict does the share of its task, unless --shard says another.",
    "SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_LOCALID": "Under srun, which process of a training this is.",
    "RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT": "The same under torchrun.",
}

FILES = {
    "~/.config/lesionctl/config.toml": "The user's own configuration; on macOS and Windows, where programs keep such "
    "files there.",
    "~/.cache/lesionctl": f"What was fetched, unless {CACHE_VARIABLE} says another place.",
}

PRECEDENCE = (
    "What is typed beats a variable, which beats the file of --config or else the user's own configuration file, which "
    "beats the default.",
    "Each option has a variable, here below. A flag is set by 1 and unset by 0; an option that can be repeated takes "
    "several values with spaces between them, or, if they are files, colons.",
)
