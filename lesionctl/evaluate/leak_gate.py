"""The gate between a model and its test: pictures that it has seen are none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lesionctl.dataset.exposure import comparable_kinds
from lesionctl.dataset.samples import Split
from lesionctl.errors import GateError
from lesionctl.evaluate.evaluation import Origin
from lesionctl.evaluate.when_seen import WhenSeen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.dataset.exposure import SeenCount
    from lesionctl.dataset.samples import Sample
    from lesionctl.evaluate.cases import Cases
    from lesionctl.evaluate.sides import Side
    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.progress import Progress


def pass_leak_gate(
    sides: Sequence[Side], cases: Cases, when: WhenSeen, progress: Progress
) -> tuple[list[Origin | None], Cases]:
    """Compare what each model has seen with what it is about to be scored on.

    Seen pictures are refused only where they would be called a test: of the other splits they are scored and marked.

    Args:
        sides: What is to be scored; folders of masks have seen nothing that could be known.
        cases: On what.
        when: What to do where one of the models has seen some of it.
        progress: Hears a warning where one has, and where that cannot be known.

    Returns:
        For each side what it was scored on, None for masks; and the pictures that are to be scored.

    Raises:
        GateError: A model has seen some and that is refused, or all have been seen and they were to be left out.
    """
    if cases.store is None or cases.split is None:
        return [None for _ in sides], cases
    if cases.split is not Split.TEST and when is WhenSeen.REFUSE:
        when = WhenSeen.MARK
    specs = [side.model.spec if side.model else None for side in sides]
    samples = [case.sample for case in cases.items if case.sample is not None]
    compared = comparable_kinds(samples)
    origins = [
        None
        if spec is None
        else Origin(
            store_digest=cases.store.info.digest,
            split=cases.split,
            fold=cases.fold,
            training_digest=spec.training_digest,
            seen=_look(side.name, spec, samples, cases.title, when, progress),
            compared=compared,
            complete=spec.seen.complete,
            left_out=when is WhenSeen.SKIP,
        )
        for side, spec in zip(sides, specs, strict=True)
    ]
    if when is WhenSeen.SKIP:
        exposures = [spec.seen for spec in specs if spec is not None]
        items = [case for case in cases.items if case.sample and not any(e.has_seen(case.sample) for e in exposures)]
        if not items:
            raise GateError(
                f"each picture of {cases.title} was seen by one of the models in training: nothing is left to score",
                hint="--seen mark scores them",
            )
        cases = replace(cases, items=items)
    return origins, cases


def _look(
    name: str, spec: ModelSpec, samples: list[Sample], truth: str, when: WhenSeen, progress: Progress
) -> SeenCount | None:
    """How many of the pictures one model has seen; None where it does not say anything."""
    count = spec.seen.count(samples)
    if count is None:
        progress.warn(
            f"{name} does not say which pictures it has seen in training: "
            f"whether {truth} is a test of it cannot be checked"
        )
        return None
    if not spec.seen.complete:
        progress.warn(
            f"a model that {name} started from does not say which pictures it has seen: "
            f"whether {truth} is a test of it can be checked in part only"
        )
    if not count.pictures:
        return count
    seen = f"{count.pictures} of the {count.of} pictures of {truth}, in training ({count.reasons()})"
    if when is WhenSeen.REFUSE:
        raise GateError(
            f"{name} has seen {seen}: they are no test of it",
            hint="--seen skip leaves them out, --seen mark scores all of them and says so in the result",
        )
    if when is WhenSeen.SKIP and count.pictures == count.of:
        raise GateError(f"{name} has seen {seen}: nothing is left to score", hint="--seen mark scores them")
    what_follows = "they are left out" if when is WhenSeen.SKIP else "the figures are not those of a test"
    progress.warn(f"{name} has seen {seen}: {what_follows}")
    return count
