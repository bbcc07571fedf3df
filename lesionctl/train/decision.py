"""How probabilities become a mask: threshold and post-processing, chosen together on pictures that were not learned."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from lesionctl.imaging.postprocess import Postprocess
from lesionctl.runtime.threads import parallel_map
from lesionctl.scoring.counts import Counts, count
from lesionctl.scoring.scoreboard import Scoreboard
from lesionctl.scoring.threshold import ThresholdSearch, jaccard_at_each_threshold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from lesionctl.imaging.arrays import Mask, Probability
    from lesionctl.scoring.threshold import Jaccards

CANDIDATES = (
    Postprocess(),
    Postprocess(fill_holes=True),
    Postprocess(largest_region=True),
    Postprocess(largest_region=True, fill_holes=True),
    Postprocess(fill_holes=True, smallest_area=0.001),
    Postprocess(fill_holes=True, smallest_area=0.005),
    Postprocess(fill_holes=True, smallest_area=0.01),
)
"""What is tried, the simplest first."""

_STEPS = (0.0, -0.05, 0.05, -0.1, 0.1, -0.15, 0.15)  # to other thresholds, the smallest first
_TIE = 1e-9
_KEPT_BYTES = 2**29


@dataclass(frozen=True)
class Decision:
    """How a model's probabilities become a mask.

    Attributes:
        threshold: A pixel is lesion where its probability is above this.
        postprocess: What is done to the mask then.
        scores: Per-image mean of each overlap figure with both, on the pictures that they were chosen on.
        baseline: The same with the threshold that is best without post-processing, and without it.
    """

    threshold: float
    postprocess: Postprocess
    scores: dict[str, float]
    baseline: dict[str, float]


def choose_decision(predictions: Callable[[], Iterable[tuple[Probability, Mask]]]) -> Decision:
    """The threshold and the post-processing with the highest per-image mean Jaccard.

    First the best threshold alone, of all from 0.01 to 0.99; at that threshold every one of `CANDIDATES`; then, for the
    post-processing that won, thresholds around it, because a mask that loses its specks can do with a lower one. Of
    equals the simplest wins, and the least change of the threshold: there is post-processing only where it gains.

    Args:
        predictions: Gives the pictures anew at each call, always the same: the probability, float32 `[H, W]` in [0, 1],
            and the truth, bool `[H, W]`, of each. It is called once where all of them fit into 512 MiB, in which they
            are kept meanwhile: 1600 of 256 × 256 pixels do. More are never kept: it is called twice then, and a third
            time where post-processing gains.

    Raises:
        ValueError: There are no pictures.
    """
    pictures = _Pictures(predictions)
    search = ThresholdSearch()
    for jaccards in parallel_map(_jaccard_at_each_threshold, pictures):
        search.add(jaccards)
    threshold = search.best()
    baseline, *boards = _score(pictures, [(threshold, candidate) for candidate in CANDIDATES])
    number, board = _best([baseline, *boards])
    if number:
        ways = [(round(threshold + step, 2), CANDIDATES[number]) for step in _STEPS if 0.005 < threshold + step < 0.995]
        place, board = _best(_score(pictures, ways))
        threshold = ways[place][0]
    return Decision(threshold, CANDIDATES[number], board.per_image(), baseline.per_image())


class _Pictures:
    """Pictures that can be gone through again: from memory where all fit into it."""

    def __init__(self, predictions: Callable[[], Iterable[tuple[Probability, Mask]]]) -> None:
        self._predictions = predictions
        self._all: list[tuple[Probability, Mask]] | None = None

    def __iter__(self) -> Iterator[tuple[Probability, Mask]]:
        if self._all is not None:
            yield from self._all
            return
        kept, size = [], 0
        for probability, truth in self._predictions():
            size += probability.nbytes + truth.nbytes
            if size <= _KEPT_BYTES:
                kept.append((probability, truth))
            else:
                kept.clear()
            yield probability, truth
        if size <= _KEPT_BYTES:
            self._all = kept


def _jaccard_at_each_threshold(picture: tuple[Probability, Mask]) -> Jaccards:
    return jaccard_at_each_threshold(*picture)


def _score(
    predictions: Iterable[tuple[Probability, Mask]], ways: Sequence[tuple[float, Postprocess]]
) -> list[Scoreboard]:
    """A scoreboard for each way of making masks."""
    boards = [Scoreboard() for _ in ways]
    for counts in parallel_map(partial(_count, ways=ways), predictions):
        for board, counted in zip(boards, counts, strict=True):
            board.add(counted)
    return boards


def _count(picture: tuple[Probability, Mask], ways: Sequence[tuple[float, Postprocess]]) -> list[Counts]:
    probability, truth = picture
    return [count(postprocess.apply(probability > threshold), truth) for threshold, postprocess in ways]


def _best(boards: Sequence[Scoreboard]) -> tuple[int, Scoreboard]:
    """The first of those with the highest Jaccard."""
    jaccards = [board.per_image()["jaccard"] for board in boards]
    number = next(number for number, jaccard in enumerate(jaccards) if jaccard >= max(jaccards) - _TIE)
    return number, boards[number]
