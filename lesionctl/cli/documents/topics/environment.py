"""Topic: the variables that the program reads, and its configuration files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lesionctl.cli.documents.blocks import Block, Example, Heading, Item, Listing, Paragraph
from lesionctl.cli.documents.command_blocks import term
from lesionctl.cli.documents.program import Command
from lesionctl.paths import CACHE_VARIABLE

VARIABLES = {
    CACHE_VARIABLE: "Where fetched sets, weights of encoders and converted models are kept, in place of the user's own "
    "cache. It may be shared and read-only on nodes without a network.",
    "HF_HUB_OFFLINE": "1 keeps train from asking the hub for weights, as --offline does.",
    "HTTPS_PROXY, NO_PROXY": "Through which server fetch goes, and where to it does not.",
    "SSL_CERT_FILE, SSL_CERT_DIR, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE": "Certificate authorities that fetch trusts.",
    "NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE": "Where set, nothing is coloured, or all is that would be on a terminal; "
    "--color beats them.",
    "TERM": "dumb: no colour and no bars.",
    "COLUMNS": "Width of tables and help, in characters, in place of the terminal's.",
    "SLURM_CPUS_PER_TASK, SLURM_CPUS_ON_NODE": "The processors that SLURM grants: no more are used.",
    "SLURM_MEM_PER_NODE, SLURM_MEM_PER_CPU": "The memory that it grants, for which batches are made to fit.",
    "SLURM_MEM_PER_GPU, SLURM_GPUS_ON_NODE": "The same, where it is granted by GPU.",
    "SLURM_STEP_TASKS_PER_NODE, SLURM_NODEID, LOCAL_WORLD_SIZE": "How many processes of a step or of torchrun share "
    "them.",
    "OMP_NUM_THREADS": "Threads of the network, in place of the processors granted. The 1 that torchrun sets by itself "
    "does not count.",
    "SLURM_ARRAY_TASK_ID": "In a job array, predict does the share of its task, unless --shard says another.",
    "SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_LOCALID": "Under srun, which process of a training this is.",
    "RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT": "The same under torchrun.",
}
"""Those that are no option's, and what they do."""

FILES = {
    "~/.config/lesionctl/config.toml": "The user's own configuration; on macOS and Windows, where programs keep such "
    "files there.",
    "~/.cache/lesionctl": f"What was fetched, unless {CACHE_VARIABLE} says another place.",
}
"""Files and folders that are read without being named, and what they are."""

PRECEDENCE = (
    "What is typed beats a variable, which beats the file of --config or else the user's own configuration file, which "
    "beats the default.",
    "Each option has a variable, here below. A flag is set by 1 and unset by 0; an option that can be repeated takes "
    "several values with spaces between them, or, if they are files, colons.",
)

CONFIGURATION = """\
offline = true

[predict]
overlay = true
mask-format = "1-bit"

[train]
batch-size = 32
save-every = 5

[eval]
tolerance = ["2px", "5%"]
"""
"""A configuration file, as an example."""


def blocks(program: Command) -> Sequence[Block]:
    """The text."""
    return [
        *map(Paragraph, PRECEDENCE),
        Heading("Configuration file"),
        Paragraph(
            "A file in TOML has a table for each subcommand, and in it a key for each option, which is the option "
            "without its first dashes; options of the program itself stand above the tables. A table or key that is "
            "unknown is an error, and so is a value that the option does not take."
        ),
        Listing(CONFIGURATION),
        Paragraph(
            "--save-config writes all options of a command, defaults too, in this form. Stores and runs keep theirs as "
            "`config.toml`, to be given to --config for the same again."
        ),
        Example(f"{program.name} --config settings.toml predict demo/images --out masks", "a file for this once"),
        Heading("Files"),
        *(Item(f"*{file}*", (meaning,)) for file, meaning in FILES.items()),
        Heading("Variables of all commands"),
        *(Item(_typed(names), (meaning,)) for names, meaning in VARIABLES.items()),
        *_of_options(program),
    ]


def _typed(names: str) -> str:
    return ", ".join(f"`{name}`" for name in names.split(", "))


def _of_options(program: Command) -> Iterator[Block]:
    for command in (program, *program.commands):
        options = [option for option in command.options if option.variable]
        if options:
            yield Heading(f"Variables of {program.name}{'' if command is program else f' {command.name}'}")
        for option in options:
            yield Item(f"`{option.variable}`", (f"{term(option, short=False)}: {option.help}",))
