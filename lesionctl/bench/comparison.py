"""Now and before: which case has become faster or slower, and which difference is noise."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionctl.bench.case import FROM_FILES
from lesionctl.bench.timing import FEWEST_TURNS
from lesionctl.scoring.bootstrap import Estimate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from lesionctl.bench.result import BenchResult, Row

_RESAMPLES = 2000
_AT_ONCE = 250  # resamples: of 10 turns of 100 runs, 2 MB for each side
_SAME_MACHINE = 0.03  # a measured peak that differs by less is the same
_ALIKE = 1.1  # the largest ratio of rows over the smallest, where all are said to have changed alike
_ENVIRONMENT = (
    "processor", "cpus_available", "cpu_quota", "omp_num_threads", "torch_threads", "memory_gib", "memory_limit_gib",
    "gpus", "nvidia_driver", "system", "lesionctl", "python", "torch", "cuda", "cudnn", "onnxruntime", "openvino",
    "opencv", "numpy", "pillow",
)  # fmt: skip


class Verdict(StrEnum):
    """What the interval of a ratio says of the speed now."""

    FASTER = "faster"
    SLOWER = "slower"
    NOISE = "noise"
    """The interval holds 1."""
    MACHINE = "as the machine"
    """It does not, but the machine itself has changed by as much, or by more."""


@dataclass(frozen=True)
class Change:
    """A case that was measured now and before.

    Attributes:
        now: Its row of now.
        before: Its row of before.
        ratio: The speed now over the speed before, with its 95 % interval; no interval with fewer than
            `FEWEST_TURNS` turns.
        machine: The measured peak now over that before, in the same number format and with as many threads; where this
            case has none, the median of the other cases'; None where none has any.
        verdict: What the interval says; None without an interval, or where the pictures were others.
        remarks: What else differs than the time, in sentences without a full stop.
    """

    now: Row
    before: Row
    ratio: Estimate
    machine: float | None
    verdict: Verdict | None
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms."""
        return {
            "case": self.now.case.to_dict(),
            "ratio": self.ratio.value,
            "low": self.ratio.low,
            "high": self.ratio.high,
            "machine": self.machine,
            "verdict": None if self.verdict is None else str(self.verdict),
            "remarks": list(self.remarks),
        }


@dataclass(frozen=True)
class Comparison:
    """A run of `bench` beside an earlier one.

    Attributes:
        changes: One for each case that could run in both, in the order of now.
        remarks: What differs between the runs, and what the intervals do not hold, in sentences without a full stop.
        only_now: Cases that could run now alone.
        only_before: Cases that could run before alone.
    """

    changes: tuple[Change, ...]
    remarks: tuple[str, ...]
    only_now: tuple[Row, ...]
    only_before: tuple[Row, ...]

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms."""
        return {
            "changes": [change.to_dict() for change in self.changes],
            "remarks": list(self.remarks),
            "only_now": [row.case.to_dict() for row in self.only_now],
            "only_before": [row.case.to_dict() for row in self.only_before],
        }


def ratio_interval(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]], *, paired: bool) -> Estimate:
    """How many times as fast the one is as the other: the ratio of their median runs, with its 95 % interval.

    The bootstrap draws whole turns again, since runs of a turn resemble one another more than those of another minute.
    Turns that were taken side by side are drawn together, so that what slows both down slows neither against the other.
    In trials it held the truth in 90 % of cases with 4 turns, in 93 % with 5 and in 95 % with 10.

    Between runs of two days nothing is side by side: how far the machine itself has drifted from the one to the other
    cannot be seen in either, and is NOT in the interval.

    Args:
        ours: Seconds of each run, by turn; every turn has as many runs, at least one.
        theirs: Likewise.
        paired: Whether the turns of both were taken side by side; then there are as many.

    Returns:
        The speed of `ours` over that of `theirs`; without an interval where one has fewer than `FEWEST_TURNS` turns.

    Raises:
        ValueError: They are paired, and have not as many turns.
    """
    one, other = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if paired and len(one) != len(other):
        raise ValueError(f"{len(one)} turns cannot be paired with {len(other)}")
    value = float(np.median(other) / np.median(one))
    if min(len(one), len(other)) < FEWEST_TURNS:
        return Estimate(value, None, None)
    from scipy import stats  # a second to import, and only comparisons need it

    def ratio(*turns: NDArray[np.intp], axis: int) -> NDArray[np.float64]:
        drawn = [np.moveaxis(indices, axis, -1) for indices in turns]
        return _medians(other, drawn[-1]) / _medians(one, drawn[0])

    turns = [np.arange(len(one))] if paired else [np.arange(len(one)), np.arange(len(other))]
    found = stats.bootstrap(
        turns, ratio, n_resamples=_RESAMPLES, batch=_AT_ONCE, vectorized=True, method="percentile", rng=0
    ).confidence_interval
    return Estimate(value, float(found.low), float(found.high))


def relative_speed(row: Row, base: Row) -> Estimate | None:
    """How many times as many pictures per second a row has as another of the same run, see `ratio_interval`.

    Args:
        row: What is compared.
        base: With what; turns of the same number were taken side by side, and these alone count.

    Returns:
        None where they have no turn in common.
    """
    first = max(row.first_turn, base.first_turn)
    ours, theirs = row.turns[first - row.first_turn :], base.turns[first - base.first_turn :]
    both = min(len(ours), len(theirs))
    return _scaled(ratio_interval(ours[:both], theirs[:both], paired=True), row, base) if both else None


def compare(now: BenchResult, before: BenchResult) -> Comparison:
    """Say what has changed since an earlier run.

    Rows belong together where their cases are equal: what, model, backend, precision, device, batch, threads, compiled,
    layout and size, as they were asked for.

    Args:
        now: A run.
        before: An earlier one, of this machine or another.
    """
    earlier = {row.case: row for row in before.rows if row.turns}
    later = {row.case: row for row in now.rows if row.turns}
    pairs = [(row, earlier[case]) for case, row in later.items() if case in earlier]
    peaks = [row.peak / other.peak for row, other in pairs if row.peak and other.peak]
    usual = float(np.median(peaks)) if peaks else None
    pictures_differ = _pictures_differ(now, before)
    changes = tuple(_change(row, other, usual, pictures_differ=pictures_differ) for row, other in pairs)
    return Comparison(
        changes,
        remarks=tuple(_remarks(now, before, changes, usual)),
        only_now=tuple(row for case, row in later.items() if case not in earlier),
        only_before=tuple(row for case, row in earlier.items() if case not in later),
    )


def _medians(turns: NDArray[np.float64], drawn: NDArray[np.intp]) -> NDArray[np.float64]:
    """The median run of drawn turns: `[turns, runs]` and indices `[..., turns]` give `[...]`."""
    return np.median(turns[drawn], axis=(-2, -1))


def _scaled(ratio: Estimate, row: Row, base: Row) -> Estimate:
    """A ratio of runs as one of pictures."""
    pictures = row.images / base.images
    low, high = (None if end is None else end * pictures for end in (ratio.low, ratio.high))
    return Estimate(ratio.value * pictures, low, high)


def _pictures_differ(now: BenchResult, before: BenchResult) -> bool:
    """Whether predictions were from other pictures, as far as both say from which."""
    ours, theirs = now.pictures, before.pictures
    return ours is not None and theirs is not None and ours["digest"] != theirs["digest"]


def _change(now: Row, before: Row, usual: float | None, *, pictures_differ: bool) -> Change:
    ratio = _scaled(ratio_interval(now.turns, before.turns, paired=False), now, before)
    machine = now.peak / before.peak if now.peak and before.peak else usual
    remarks = list(_what_else_differs(now, before))
    verdict = _verdict(ratio, machine)
    if pictures_differ and now.case.what in FROM_FILES:
        verdict = None
        remarks.insert(0, "it predicts from other pictures than before: their speeds are not to be compared")
    return Change(now, before, ratio, machine, verdict, tuple(remarks))


def _verdict(ratio: Estimate, machine: float | None) -> Verdict | None:
    """What can be said for sure: neither chance nor the machine, as far as its peak tells, must be enough for it."""
    if ratio.low is None or ratio.high is None:
        return None
    if ratio.low <= 1 <= ratio.high:
        return Verdict.NOISE
    if machine is None or abs(machine - 1) < _SAME_MACHINE:
        machine = 1.0
    if ratio.low > max(1.0, machine):
        return Verdict.FASTER
    return Verdict.SLOWER if ratio.high < min(1.0, machine) else Verdict.MACHINE


def _what_else_differs(now: Row, before: Row) -> Iterator[str]:
    if now.runs_on != before.runs_on:
        yield f"it runs on {now.runs_on}, and ran on {before.runs_on}"
    if now.digest != before.digest if now.digest and before.digest else _work_of(now) != _work_of(before):
        yield f"'{now.case.model}' is another model than before"
    if now.images != before.images:
        yield f"a run is of {now.images} pictures, and was of {before.images}"
    if now.quality and before.quality:
        if now.quality["digest"] != before.quality["digest"]:
            yield "its Dice is of other pictures than before"
        elif f"{now.dice:.4f}" != f"{before.dice:.4f}":
            yield f"its Dice is {now.dice:.4f}, and was {before.dice:.4f}"


def _work_of(row: Row) -> tuple[int | None, ...]:
    return row.parameters, row.multiply_adds, row.file_bytes


def _remarks(now: BenchResult, before: BenchResult, changes: Sequence[Change], machine: float | None) -> Iterator[str]:
    for name in _ENVIRONMENT:
        ours, theirs = now.environment.get(name), before.environment.get(name)
        if ours != theirs:
            yield f"{name}: {_told(ours)}, before {_told(theirs)}"
    if now.pictures is not None and before.pictures is not None and _pictures_differ(now, before):
        yield f"pictures: {_tell_pictures(now.pictures)}, before {_tell_pictures(before.pictures)}"
    if machine is not None and abs(machine - 1) >= _SAME_MACHINE:
        yield f"the machine itself is {_percent(machine)} than before (its measured peak)"
    ratios = [change.ratio.value for change in changes if change.verdict not in (None, Verdict.NOISE)]
    if len(ratios) == len(changes) > 2 and max(ratios) < _ALIKE * min(ratios):
        yield (
            f"all cases are {_percent(float(np.median(ratios)))} alike: more likely the machine, or something that "
            "all of them use, than any one of them"
        )
    if any(change.verdict is not None for change in changes):
        yield (
            "an interval holds the spread within each run, and not how far the machine drifts from one run to the "
            "next: repeat both before you trust a difference of some per cent"
        )


def _percent(ratio: float) -> str:
    """Such as `8 % slower`, of speeds."""
    return f"{abs(ratio - 1):.0%} {'faster' if ratio > 1 else 'slower'}".replace("%", " %")


def _tell_pictures(pictures: Mapping[str, Any]) -> str:
    whose = "drawn" if pictures["drawn"] else "of one's own"
    return f"{pictures['count']} {whose}, {pictures['bytes'] / 1e6:.1f} MB, {pictures['digest'][:8]}"


def _told(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "not known" if value is None else str(value)
