"""Pictures that show the same lesion though nothing says so: proposed by their hashes, confirmed by their pixels.

What is found: the same photograph encoded, resized, cropped, lit, turned or mirrored otherwise, and further photographs
of a lesion, also from nearer by, as long as its structure is seen in both. What is not: lesions that look alike.

The limits below were chosen on 9,500 pictures of ISIC and HAM10000, where half the pairs of hashes at 30 bits and
nearly all below 24 are of one lesion.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lesionctl.imaging.perceptual_hash import hash_distances
from lesionctl.imaging.registration import Landmarks, find_landmarks, similarity
from lesionctl.progress import Progress, Silent, track
from lesionctl.runtime.threads import parallel_map

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionctl.dataset.row_file import RowReader

_FAR = 38  # bits: hardly any pair farther apart is worth a look
_NEAR = 24  # bits: nearly every pair is of one lesion
_RARE = 6  # bits that a turned or mirrored picture must be nearer, since few are turned or mirrored
_NEIGHBOURS = 3  # of each picture; enough to hold many pictures of a lesion together
_LEAST_SIMILARITY = 0.12

# Small enough for the processor's cache.
_BLOCK_ROWS, _BLOCK_COLUMNS = 8, 4096
_LANDMARKS_KEPT = 512


@dataclass(frozen=True)
class NearDuplicate:
    """Two pictures of one lesion.

    Attributes:
        first: Row of the one.
        second: Row of the other; greater than `first`.
        similarity: How well their details go together, above 0.12 to 1; see `lesionctl.imaging.registration`.
    """

    first: int
    second: int
    similarity: float


class _Candidate(NamedTuple):
    first: int
    second: int
    mirrored: bool


def find_near_duplicates(
    hashes: NDArray[np.uint64], images: NDArray[np.uint8] | RowReader, progress: Progress | None = None
) -> list[NearDuplicate]:
    """Find pairs of pictures that show the same lesion, enough of them to hold all pictures of a lesion together.

    Of many pictures of a lesion not every pair is named: each picture proposes its nearest three. The result does not
    depend on the order of the pictures, but where more than three are equally near. Memory is constant but for some
    hundred bytes a picture.

    Args:
        hashes: Of `perceptual_hash`, for each picture: uint64 `[N, 8]`.
        images: uint8 `[N, size, size, 3]`; rows are read as they are needed.
        progress: Who listens; None: nobody does.

    Returns:
        The pairs, in ascending order of their rows.
    """
    progress = progress or Silent()
    candidates = _propose(hashes, progress)

    @lru_cache(_LANDMARKS_KEPT)
    def landmarks(row: int, mirrored: bool) -> Landmarks:
        return find_landmarks(images[row], mirrored=mirrored)

    def compare(candidate: _Candidate) -> NearDuplicate:
        first, second, mirrored = candidate
        # Which is laid over which depends on the pictures, not on their order.
        start, end = sorted((first, second), key=lambda row: tuple(hashes[row].tolist()))
        return NearDuplicate(first, second, similarity(landmarks(start, mirrored), landmarks(end, False)))

    compared = parallel_map(compare, candidates)
    pairs = track(progress, compared, "comparing pictures that look alike", len(candidates))
    return [pair for pair in pairs if pair.similarity >= _LEAST_SIMILARITY]


def _propose(hashes: NDArray[np.uint64], progress: Progress) -> list[_Candidate]:
    """Pairs of near hashes, ascending: the nearest of all, at most as many as there are pictures, and all very near."""
    rows = np.flatnonzero(hashes.any(axis=1))  # where there is something to see
    starts = range(0, len(rows), _BLOCK_ROWS)
    blocks = parallel_map(partial(_nearest, hashes[rows]), starts)
    empty = np.zeros((4, 0), np.int64)
    found = np.concatenate([empty, *track(progress, blocks, "comparing hashes", len(starts))], axis=1)
    distance, row, other, mirrored = found
    # A pair is often found from both sides: its lesser distance counts.
    pairs = np.stack([np.minimum(row, other), np.maximum(row, other), distance, mirrored])
    pairs = pairs[:, np.lexsort(pairs[::-1])]
    repeated = (np.diff(pairs[:2], axis=1, prepend=-1) == 0).all(axis=0)
    pairs = pairs[:, ~repeated]
    within = np.cumsum(np.bincount(pairs[2], minlength=_FAR + 1))
    limit = max(_NEAR, int(np.searchsorted(within, len(rows), side="right")) - 1)
    first, second, _, mirrored = pairs[:, pairs[2] <= limit]
    return [
        _Candidate(*pair)
        for pair in zip(rows[first].tolist(), rows[second].tolist(), (mirrored > 0).tolist(), strict=True)
    ]


def _nearest(hashes: NDArray[np.uint64], start: int) -> NDArray[np.int64]:
    """The nearest neighbours of each hash of a block of rows.

    Args:
        hashes: uint64 `[N, 8]`.
        start: The first row of the block.

    Returns:
        Distance in bits, row, neighbour, and whether (1) or not (0) the one is a mirror image: int64 `[4, M]`.
    """
    block = hashes[start : start + _BLOCK_ROWS]
    found = []
    for column in range(0, len(hashes), _BLOCK_COLUMNS):
        upright, turned, mirrored = hash_distances(block, hashes[column : column + _BLOCK_COLUMNS])
        unmirrored = np.minimum(upright, turned + np.uint8(_RARE))
        mirrored += np.uint8(_RARE)
        distance = np.minimum(unmirrored, mirrored)
        row, other = np.nonzero(distance <= _FAR)
        near, flipped = distance[row, other], mirrored[row, other] < unmirrored[row, other]
        found.append(np.stack([near, start + row, column + other, flipped]).astype(np.int64))
    pairs = np.concatenate(found, axis=1)
    pairs = pairs[:, pairs[1] != pairs[2]]
    distance, row, other, _ = pairs = pairs[:, np.lexsort((pairs[2], pairs[0], pairs[1]))]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    return pairs[:, rank < _NEIGHBOURS]
