"""The gate between a model and its test: pictures that it has seen are none."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from lesionctl.errors import GateError

if TYPE_CHECKING:
    from lesionctl.dataset.exposure import SeenCount
    from lesionctl.dataset.samples import Sample
    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.progress import Progress


class WhenSeen(StrEnum):
    """What to do with pictures that the model has seen in training."""

    REFUSE = "refuse"
    """Score nothing where one of them would be called a test."""
    MARK = "mark"
    """Score them with the others; the result says so."""
    SKIP = "skip"
    """Leave them out; the result says how many."""


def pass_leak_gate(
    spec: ModelSpec, samples: list[Sample], truth: str, when: WhenSeen, progress: Progress
) -> SeenCount | None:
    """Compare what a model has seen with what it is about to be scored on.

    Args:
        spec: The model.
        samples: What is to be scored.
        truth: What they are called.
        when: What to do where it has seen some.
        progress: Hears a warning where it has, and where that cannot be known.

    Returns:
        How many it has seen; None where the model does not say anything.

    Raises:
        GateError: It has seen some and that is refused, or it has seen all and they were to be left out.
    """
    count = spec.seen.count(samples)
    if count is None:
        progress.warn(
            f"{spec.name} does not say which pictures it has seen in training: "
            f"whether {truth} is a test of it cannot be checked"
        )
        return None
    if not spec.seen.complete:
        progress.warn(
            f"a model that {spec.name} started from does not say which pictures it has seen: "
            f"whether {truth} is a test of it can be checked in part only"
        )
    if not count.pictures:
        return count
    seen = f"{count.pictures} of the {count.of} pictures of {truth}, in training ({count.reasons()})"
    if when is WhenSeen.REFUSE:
        raise GateError(
            f"{spec.name} has seen {seen}: they are no test of it",
            hint="--seen skip leaves them out, --seen mark scores all of them and says so in the result",
        )
    if when is WhenSeen.SKIP and count.pictures == count.of:
        raise GateError(f"{spec.name} has seen {seen}: nothing is left to score", hint="--seen mark scores them")
    what_follows = "they are left out" if when is WhenSeen.SKIP else "the figures are not those of a test"
    progress.warn(f"{spec.name} has seen {seen}: {what_follows}")
    return count
