"""What holds for all subcommands, by topics: `lesionctl help TOPIC` and the manual's section 7 show the same blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lesionctl.cli.documents.blocks import Block
from lesionctl.cli.documents.program import Command
from lesionctl.cli.documents.topics import datasets, environment, exit_codes, formats, models, scripting, slurm


@dataclass(frozen=True)
class Topic:
    """Something to be read about.

    Attributes:
        name: What is typed.
        summary: What it is about, in a line.
        blocks: Its text, from what the program offers; some read the program's own files and tables for it.
    """

    name: str
    summary: str
    blocks: Callable[[Command], Sequence[Block]]


TOPICS = {
    topic.name: topic
    for topic in (
        Topic("environment", "Variables, configuration files, and which of them counts.", environment.blocks),
        Topic("exit-codes", "What the program leaves to the shell.", exit_codes.blocks),
        Topic("formats", "Pictures and masks that are read, and files that are written.", formats.blocks),
        Topic("models", "What MODEL stands for, the bundled models, and model files.", models.blocks),
        Topic("datasets", "Sets that can be fetched, and folders of your own.", datasets.blocks),
        Topic("slurm", "Training and predicting on a cluster, with job scripts.", slurm.blocks),
        Topic("scripting", "Pipes, JSON and exit codes in shell scripts.", scripting.blocks),
    )
}
"""By name, in the order in which they are listed."""
