"""A share of the pictures, for one of several processes: the same one on every machine and in every run."""

from __future__ import annotations

import hashlib
import math
import re
from typing import TYPE_CHECKING, NamedTuple

from lesionctl.errors import UsageError
from lesionctl.runtime.world import find_world

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Shard(NamedTuple):
    """One of several shares.

    Attributes:
        number: From 1.
        of: How many shares there are.
    """

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `I/N`, such as 3/8: the third of eight.

        Raises:
            UsageError: It is something else.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise UsageError(f"'{text}' is no share", hint="write I/N with I from 1 to N, such as 3/8")
        return cls(int(found[1]), int(found[2]))

    def of_process(self, environ: Mapping[str, str]) -> Shard:
        """The share of this share that a process of torchrun, or of a step of SLURM with several tasks, takes."""
        world = find_world(environ)
        if world is None:
            return self
        return Shard((self.number - 1) * world.size + world.rank + 1, self.of * world.size)

    def holds(self, place: Path) -> bool:
        """Whether a picture belongs to it, by its place alone: it stays in its share whatever else is in the folder."""
        digest = hashlib.blake2b(place.as_posix().encode(errors="surrogateescape"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.of == self.number - 1

    def overlaps(self, other: Shard) -> bool:
        """Whether there may be pictures that belong to both."""
        return (self.number - other.number) % math.gcd(self.of, other.of) == 0

    def name(self, path: Path) -> Path:
        """What a file about all pictures is called for this share: `rows.csv` → `rows.3-of-8.csv`."""
        return path if self.of == 1 else path.with_name(f"{path.stem}.{self.number}-of-{self.of}{path.suffix}")


def shard_of_array(environ: Mapping[str, str]) -> Shard:
    """The share of a task of a SLURM job array, whatever its numbers begin with; all pictures outside of one.

    The tasks of an array have all shares between them, each one share, or some of them have none and say so.

    Raises:
        UsageError: The array's numbers have gaps, so that it cannot be told which of them this is, or are no numbers.
    """
    if "SLURM_ARRAY_TASK_ID" not in environ:
        return Shard()
    names = ("TASK_ID", "TASK_MIN", "TASK_MAX", "TASK_COUNT")
    texts = {f"SLURM_ARRAY_{name}": environ.get(f"SLURM_ARRAY_{name}", "") for name in names}
    for name, text in texts.items():
        if not _is_number(text):
            raise UsageError(
                f"{name} is '{text}', no number, so that it cannot be told which share this is",
                hint="say which share it is with --shard I/N; --shard 1/1 is all",
            )
    task, first, last, count = map(int, texts.values())
    named = environ.get("SLURM_ARRAY_TASK_STEP", "")
    step = int(named) if _is_number(named) else _step(last - first, count)
    if not first <= task <= last or step < 1 or (last - first) // step + 1 != count or (task - first) % step:
        raise UsageError(
            f"the numbers of this job array have gaps: it has {count} from {first} to {last}, so that it cannot be told"
            " which share this task is to do",
            hint="number the tasks without gaps (--array=0-7), or say which share it is with --shard I/N",
        )
    return Shard((task - first) // step + 1, count)


def _step(span: int, count: int) -> int:
    """What lies between two of an array's numbers; 0 where it is not always the same."""
    steps = max(1, count - 1)
    return 0 if span % steps else max(1, span // steps)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
