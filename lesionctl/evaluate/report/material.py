"""All that a report is written from, gathered once for every form of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lesionctl.errors import BadFile
from lesionctl.evaluate.report.choice import Group, choose_pictures
from lesionctl.evaluate.report.run import Run, read_run
from lesionctl.evaluate.sides import ModelSide
from lesionctl.imaging.decode import decode
from lesionctl.runtime.environment import describe_environment
from lesionctl.runtime.throughput import images_per_second

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lesionctl.evaluate.analysis import Analysis
    from lesionctl.evaluate.sides import Side
    from lesionctl.imaging.arrays import Image
    from lesionctl.progress import Progress

BATCH_SIZE, TURNS = 8, 5
"""How the speed of the networks is measured."""


@dataclass(frozen=True)
class Material:
    """What a report is written from.

    Attributes:
        analysis: The results.
        sides: What was scored, in the order of the analysis' summaries.
        runs: Of each side, the training run that made it; None where there is none.
        speeds: Of each side, the pictures per second of its network alone; None for masks, or without pictures.
        environment: With what and on what the evaluation was made.
        command: The command line; empty where the report was written by a script.
        moment: When the report is written.
        groups: The pictures that are shown.
    """

    analysis: Analysis
    sides: Sequence[Side]
    runs: list[Run | None]
    speeds: list[float | None]
    environment: dict[str, Any]
    command: Sequence[str]
    moment: datetime
    groups: list[Group]

    @property
    def names(self) -> list[str]:
        """What the sides are called."""
        return [summary.name for summary in self.analysis.summaries]


def gather(
    analysis: Analysis, sides: Sequence[Side], command: Sequence[str], moment: datetime, progress: Progress
) -> Material:
    """Read the runs, choose the pictures, measure the networks' speed.

    Args:
        analysis: The results.
        sides: What was scored, in the same order.
        command: The command line.
        moment: When the report is written.
        progress: Hears of a run whose record is damaged: the report does without it.
    """
    runs = [_run_of(side, progress) for side in sides]
    groups = choose_pictures(
        [image.figures()["dice"] for image in analysis.summaries[0].evaluation.images], analysis.seed
    )
    speeds = _measure(analysis, sides, groups, progress)
    return Material(analysis, sides, runs, speeds, describe_environment(), command, moment, groups)


def _run_of(side: Side, progress: Progress) -> Run | None:
    if side.model is None or side.model.run is None:
        return None
    try:
        return read_run(side.model.run)
    except BadFile as error:
        progress.warn(f"the report does without the record of a run: {error}")
        return None


def _measure(
    analysis: Analysis, sides: Sequence[Side], groups: Sequence[Group], progress: Progress
) -> list[float | None]:
    models = {number: side.segmenter for number, side in enumerate(sides) if isinstance(side, ModelSide)}
    if not models:
        return [None] * len(sides)
    views = _views(analysis, groups, max(segmenter.spec.size for segmenter in models.values()))
    if not views:
        return [None] * len(sides)
    progress.say("measuring how fast the networks are")
    measured = dict(zip(models, images_per_second(list(models.values()), views, BATCH_SIZE, TURNS), strict=True))
    return [measured.get(number) for number in range(len(sides))]


def _views(analysis: Analysis, groups: Sequence[Group], size: int) -> list[Image]:
    """The first pictures of the gallery that can be read, as many as a batch takes."""
    views: list[Image] = []
    for row in dict.fromkeys(row for group in groups for row in group.rows):
        image = analysis.cases.items[row].image
        if image is not None and len(views) < BATCH_SIZE:
            try:
                views.append(decode(image, at_least=size).image)
            except BadFile:  # it is named among the failures
                continue
    return views
