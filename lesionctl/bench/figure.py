"""Speed against Dice, as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl.bench.case import What
from lesionctl.bench.machine import machine_title
from lesionctl.bench.quality import Quality
from lesionctl.errors import LesionctlError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.bench.result import BenchResult, Row
    from lesionctl.plots.speed import SpeedPoint

_TOLD_BY = (What.PREDICT_ALL, What.NETWORK, What.PREDICT_EACH)  # the speed that matters most, of what was measured


def draw_speeds(result: BenchResult) -> bytes:
    """A PNG with a point for each case of prediction, or of the network alone where only that was measured.

    Raises:
        LesionctlError: No case has both a speed and a Dice.
        MissingExtra: matplotlib is not installed.
    """
    scored = [row for row in result.rows if row.turns and row.quality]
    what = next((what for what in _TOLD_BY if any(row.case.what is what for row in scored)), None)
    if what is None:
        raise LesionctlError("there is no case with both a speed and a Dice to draw")
    from lesionctl.plots.figure import to_png
    from lesionctl.plots.speed import speed_plot

    rows = [row for row in scored if row.case.what is what]
    label = shared_label([Quality.from_dict(row.quality or {}) for row in rows])
    title = f"{what}: {machine_title(result.environment)}"
    return to_png(speed_plot([_point(row, rows) for row in rows], label, title))


def shared_label(qualities: Sequence[Quality]) -> str:
    """What several Dice are; where they are of different pictures, it says that they are not to be compared.

    Args:
        qualities: At least one.
    """
    first = qualities[0]
    if len({quality.digest for quality in qualities}) == 1:
        return first.label
    few, many = (choose(quality.pictures for quality in qualities) for choose in (min, max))
    return (
        f"{first.label_of(f'{few:,}' if few == many else f'{few:,} to {many:,}')}; NOT the same pictures for all, as "
        "each model leaves out those that it has seen: not to be compared"
    )


def _point(row: Row, rows: Sequence[Row]) -> SpeedPoint:
    from lesionctl.plots.speed import SpeedPoint

    timing = row.timing
    assert timing is not None
    quality = Quality.from_dict(row.quality or {})
    batches = {other.case.batch_size for other in rows}
    label = f"{row.name} batch {row.case.batch_size}" if len(batches) > 1 else row.name
    if len({(other.quality or {})["digest"] for other in rows}) > 1:
        label += f", n = {quality.pictures:,}"
    return SpeedPoint(
        model=short_name(row.case.model),
        label=label,
        images_per_second=timing.images_per_second,
        dice=quality.dice,
        dice_interval=None if quality.low is None or quality.high is None else (quality.low, quality.high),
        speed_interval=None if timing.low is None or timing.high is None else (timing.low, timing.high),
    )


def short_name(model: str) -> str:
    """A model's file or run directory without its path."""
    path = Path(model)
    return path.parent.name if path.name == "model.safetensors" else path.name
