"""Hashes that are alike where pictures show the same lesion, however it is framed, lit, turned or mirrored.

A hash of the whole frame, as libraries make them, changes as soon as the camera moves or zooms, as it does between two
photographs of a lesion, while lesions in the middle of pink skin resemble each other. This one finds the lesion, by its
darkness in blue light, and hashes views of it in a frame of its own. Where the lesion ends is a matter of taste, so
there are views for three nested outlines; two pictures are as distant as the views of them that resemble each other
most. The bits of a view are the signs of its lowest frequencies, as in pHash (Zauner, 2010), sorted by parity: parity
decides which of them change where a picture is mirrored or turned by 180°, so that these cost no further hashes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from cv2.typing import MatLike
    from numpy.typing import NDArray

    from lesionctl.imaging.arrays import Image

BITS = 128
"""Bits of a view: the greatest distance of two hashes."""

# Where the outline of each view runs, between the darkness of the lesion (0) and of the skin (1), and how far the view
# is turned, in degrees: two turned views match lesions that are turned against each other by up to some twenty degrees.
_VIEWS = ((0.45, 8.0), (0.45, -8.0), (0.15, 0.0), (0.75, 0.0))
# The second with the second says the same as the first with the first.
_COMPARED = tuple((i, j) for i in range(4) for j in range(i, 4) if (i, j) != (1, 1))
_WORDS = len(_VIEWS) * BITS // 64

_REACH = 5.0  # side of a view, in standard deviations of the outlined part
_SIDE = 32  # of a view, in pixels
_FINEST = 96  # side of the whole picture from which the views are taken, at most
_COARSE = 48  # side of the whole picture in which the lesion is sought
_LEAST_VARIATION = 1.0  # in grey levels: what varies less shows nothing
_LEAST_SPREAD = 2.0  # in pixels of the coarse picture
_BAR = 8  # the brightest a bar around a picture is


def _radii() -> NDArray[np.float64]:
    """Distance from the middle, 1 at the nearest border: `[_COARSE, _COARSE]`."""
    across = (np.arange(_COARSE) - (_COARSE - 1) / 2) / (_COARSE / 2)
    radii: NDArray[np.float64] = np.hypot(across[:, None], across)
    return radii


def _frequencies() -> NDArray[np.intp]:
    """The lowest 32 frequencies of each of 4 parities (rows and columns even; one of them odd; both): `[BITS]`.

    They are indices into the flat cosine transform of a view.
    """
    chosen: list[int] = []
    for odd_row, odd_column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        pairs = [(i, j) for i in range(odd_row, _SIDE, 2) for j in range(odd_column, _SIDE, 2) if (i, j) != (0, 0)]
        pairs.sort(key=lambda pair: (sum(pair), abs(pair[0] - pair[1]), pair))
        chosen += [i * _SIDE + j for i, j in pairs[: BITS // 4]]
    return np.array(chosen)


# Lesions are in the middle; corners are often those of the lens.
_SEEN = _radii() < 0.97
_LESION_WEIGHT = np.exp(-0.5 * (_radii() / 0.25) ** 2).ravel()
_FREQUENCIES = _frequencies()


def perceptual_hash(image: Image) -> NDArray[np.uint64]:
    """Hash a picture by the lesion that it shows. Takes half a millisecond.

    Args:
        image: uint8 `[size, size, 3]`: a picture that was squashed to a square, or padded with black.

    Returns:
        uint64 `[8]`: 4 views of 128 bits; all zero where there is nothing to see, on a uniform picture.
    """
    image = _without_bars(image)
    blue = cv2.resize(cv2.extractChannel(image, 2), (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)
    light = _flatten(cv2.GaussianBlur(blue, (0, 0), 1.0))
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (_FINEST, _FINEST), interpolation=cv2.INTER_AREA)
    if min(light[_SEEN].std(), grey.std()) < _LEAST_VARIATION:
        return np.zeros(_WORDS, np.uint64)
    outlines = _outlines(light)
    half = cv2.resize(grey, (_FINEST // 2, _FINEST // 2), interpolation=cv2.INTER_AREA)
    quarter = cv2.resize(half, (_FINEST // 4, _FINEST // 4), interpolation=cv2.INTER_AREA)
    views = [_view((grey, half, quarter), *outlines[level], degrees) for level, degrees in _VIEWS]
    bits = [cv2.dct(view.astype(np.float32)).ravel()[_FREQUENCIES] > 0 for view in views]
    return np.packbits(np.concatenate(bits), bitorder="little").view(np.uint64)


def hash_distances(
    some: NDArray[np.uint64], others: NDArray[np.uint64]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """How unlike each hash is to each other, in bits of 128: 0 is alike, and unrelated pictures lie about 50 apart.

    Swap the arguments for the views that are not compared in this order: the distance is the lesser of both.

    Args:
        some: uint64 `[N, 8]`.
        others: uint64 `[M, 8]`.

    Returns:
        uint8 `[N, M]`, three times: of the pictures as they are, with one turned by 180°, and with one mirrored (left
        to right or upside down, whichever is less).
    """
    # Four words of 32 bits a view, one of each parity.
    rows = np.ascontiguousarray(some).view(np.uint32).T[:, :, None]
    columns = np.ascontiguousarray(np.ascontiguousarray(others).view(np.uint32).T)[:, None, :]
    shape = (len(some), len(others))
    upright, turned, mirrored = (np.full(shape, BITS, np.uint8) for _ in range(3))
    differing = np.empty(shape, np.uint32)
    for i, j in _COMPARED:
        even, odd_column, odd_row, odd = (
            np.bitwise_count(np.bitwise_xor(rows[4 * i + parity], columns[4 * j + parity], out=differing))
            for parity in range(4)
        )
        # What changes its sign when turned or mirrored agrees where it differed: 32 - n bits of it differ.
        once, both = odd_column + odd_row, even + odd
        np.minimum(upright, both + once, out=upright)
        np.minimum(turned, both + (64 - once), out=turned)
        apart = np.maximum(odd_column, odd_row) - np.minimum(odd_column, odd_row)
        np.minimum(mirrored, even + (64 - odd) - apart, out=mirrored)
    return upright, turned, mirrored


def _without_bars(image: Image) -> Image:
    """The picture without black bars at its sides."""
    rows = np.flatnonzero(image.reshape(len(image), -1).max(axis=1) > _BAR)
    columns = np.flatnonzero(image.max(axis=0).max(axis=1) > _BAR)
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else image


def _flatten(light: MatLike) -> NDArray[np.uint8]:
    """Take uneven light away: what is left is the difference to the surroundings, 128 where there is none."""
    values = light.astype(np.float32) * _SEEN
    return np.clip(light - _surroundings(values) / _SURROUNDINGS_SEEN + 128, 0, 255).astype(np.uint8)


def _outlines(light: NDArray[np.uint8]) -> dict[float, tuple[float, float, float]]:
    """Centre (x, y) and spread of what is darker than each level of the views, in fractions of the picture's side.

    Args:
        light: uint8 `[_COARSE, _COARSE]`, with at least two values.
    """
    seen = light[_SEEN]
    threshold = cv2.threshold(seen, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0]
    lesion, skin = seen[seen <= threshold].mean(), seen[seen > threshold].mean()
    found = {}
    for level in {level for level, _ in _VIEWS}:
        dark = ((light <= lesion + level * (skin - lesion)) & _SEEN).astype(np.uint8)
        count, labels = cv2.connectedComponents(dark)
        weights = np.bincount(labels.ravel(), _LESION_WEIGHT, count)
        weights[0] = 0
        part = cv2.moments((labels == weights.argmax()).astype(np.uint8), binaryImage=True)
        spread = np.sqrt((part["mu20"] + part["mu02"]) / part["m00"] / 2)
        x, y = ((part[moment] / part["m00"] + 0.5) / _COARSE for moment in ("m10", "m01"))
        found[level] = x, y, max(spread, _LEAST_SPREAD) / _COARSE
    return found


def _view(pyramid: tuple[MatLike, ...], x: float, y: float, spread: float, degrees: float) -> MatLike:
    """Cut out the surroundings of a point, turned, from the level of the pyramid that is about as fine.

    Args:
        pyramid: uint8, square, from fine to coarse, each of half the side of the one before.
        x: Of the point, in fractions of the side.
        y: Of the point, in fractions of the side.
        spread: Of what is there, in fractions of the side.
        degrees: Turn by this.

    Returns:
        uint8 `[_SIDE, _SIDE]`.
    """
    reach = _REACH * spread * _FINEST / _SIDE  # pixels of the finest level to a pixel of the view
    grey = pyramid[min(max(0, math.ceil(math.log2(reach / 1.2))), len(pyramid) - 1)]
    step = _REACH * spread * len(grey) / _SIDE
    cosine, sine = step * math.cos(math.radians(degrees)), step * math.sin(math.radians(degrees))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    corner = np.array([x, y]) * len(grey) - 0.5 - turn @ np.full(2, (_SIDE - 1) / 2)
    return cv2.warpAffine(
        grey,
        np.column_stack([turn, corner]),
        (_SIDE, _SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )


def _surroundings(values: NDArray[np.float32]) -> MatLike:
    """Mean over about a quarter of the picture around each place."""
    small = cv2.resize(values, (_COARSE // 4, _COARSE // 4), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), 3.0), (_COARSE, _COARSE), interpolation=cv2.INTER_LINEAR)


_SURROUNDINGS_SEEN = _surroundings(_SEEN.astype(np.float32)) + np.float32(1e-3)
