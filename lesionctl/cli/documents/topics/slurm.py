"""Topic: clusters, with the job scripts that come with the program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lesionctl.cli.documents.blocks import Block, Example, Heading, Listing, Paragraph
from lesionctl.cli.documents.program import Command
from lesionctl.train.options import TrainOptions

SCRIPTS = Path(__file__).parents[1] / "sbatch"
"""The job scripts, which can be given to sbatch as they are."""

TITLES = {
    "one-gpu": "One GPU",
    "one-node": "All GPUs of a node",
    "several-nodes": "Several nodes",
    "predict-array": "An array of jobs for predict",
    "requeue": "Preempted and requeued",
}
"""What they are for, in the order in which they are read."""


def blocks(_program: Command) -> Sequence[Block]:
    """The text."""
    saved = f"{TrainOptions().save_every:g}"
    return [
        Paragraph(
            "`srun lesionctl train` trains one model with all tasks of the step, one for each GPU: nothing else says "
            "how many there are, or where they meet. --batch-size is that of each task. One process writes, all stop "
            "together."
        ),
        Paragraph(
            "No more processors and memory are used than SLURM grants (SLURM_CPUS_PER_TASK, control groups). Tell "
            "`srun` of --cpus-per-task again: SLURM 22.05 to 23.02 do not take it from `sbatch`."
        ),
        Paragraph(
            "Nodes without a network need what was fetched before: on a login node, with LESIONCTL_CACHE_DIR in a "
            "folder that the nodes see, `lesionctl fetch --encoder resnet34`; on the nodes, `lesionctl --offline`. "
            "There, the folder may be read-only."
        ),
        Paragraph(
            "A store is a few large files, quick to copy to a node's own disk ($SLURM_TMPDIR where there is one). The "
            "run directory must lie where it outlives the job."
        ),
        Paragraph(
            "Before the time is up, `#SBATCH --signal=USR1@120` lets train save its state and end with exit code 75; "
            "the same command goes on where it stopped, on another node too. The state is also saved every "
            f"{saved} minutes (--save-every), for what comes without a warning."
        ),
        Paragraph(
            "Each task of a job array does its share in predict, by itself: the numbers of the tasks must have no "
            "gaps. Exit code 3 says that some pictures cannot be used, not that the job failed."
        ),
        Paragraph(
            "The job scripts: `lesionctl help slurm` prints them so that they can be copied as they stand. What is to "
            "be changed is marked in them."
        ),
        *_scripts(),
    ]


def _scripts() -> Iterator[Block]:
    for name, title in TITLES.items():
        script = SCRIPTS / f"{name}.sbatch"
        yield Heading(title)
        yield Example(f"sbatch {script.name}")
        yield Listing(script.read_text(encoding="utf-8"))
