"""How like the pictures that a model learned from a new one is, by a few simple figures of what the network sees."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionctl.imaging.arrays import Image

    _Figures = NDArray[np.float32]

QUANTILE = 0.99
"""The share of the pictures that the limit is set on that is within it (see `tests/benchmarks/review_curve.py`)."""

_SIDE = 64  # pixels: finer than that, pictures differ by how their files were made
_PERCENTILES = (5, 25, 50, 75, 95)
_DARK = 20.0  # L*: the corners that a round lens leaves black lie below, skin of any colour above
_CELLS = 4  # the layout is that of 4 × 4 cells
_SCALES = 3  # of the contrast, each half of the one before
_FAINTEST, _LEAST_SPREAD = 0.05, 0.5  # of CIELAB: added before a logarithm is taken, for even pictures have one too
_FLOOR = 0.01  # of a figure's variance: what hardly differs from picture to picture is told from others by nothing


def describe_view(view: Image) -> NDArray[np.float32]:
    """Figures of a picture that stay the same where it is flipped or turned by quarters.

    They are of its CIELAB colours: mean, deviation and percentiles of each, mean and deviation of the chroma, the share
    of dark pixels, the contrast at three scales, and the colours of corners, sides and middle. Of deviations and
    contrasts they are the logarithms: to have none at all is as strange as to have far too much.

    Args:
        view: uint8 `[size, size, 3]`, what the network sees.

    Returns:
        float32 `[45]`.
    """
    small = cv2.resize(view, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    lab: _Figures = cv2.cvtColor(small.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)  # type: ignore[assignment]
    lightness, a, b = (np.ascontiguousarray(lab[..., channel]) for channel in range(3))
    mean, deviation = (values.ravel() for values in cv2.meanStdDev(lab))
    chroma, chroma_deviation = (values.ravel() for values in cv2.meanStdDev(cv2.magnitude(a, b)))
    ranked = np.sort(_half(lab).reshape(-1, 3).T)
    places = [round(percent / 100 * (ranked.shape[1] - 1)) for percent in _PERCENTILES]
    cells: _Figures = cv2.resize(lab, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    orbits = _orbits(cells)
    spreads = [deviation, chroma_deviation, *(colours.std(0) for colours in orbits)]
    return np.concatenate(
        [
            mean,
            chroma,
            ranked[:, places].ravel(),
            [np.count_nonzero(lightness < _DARK) / lightness.size],
            *(colours.mean(0) for colours in orbits),
            np.log(_LEAST_SPREAD + np.concatenate(spreads)),
            np.log(_FAINTEST + np.array(_contrasts(lightness), np.float32)),
        ]
    ).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Familiarity:
    """The descriptions of the pictures that a model learned from, as a normal distribution, and how far is too far.

    Attributes:
        mean: float32 `[k]`, of their descriptions.
        whitening: float32 `[k, k]`, lower triangular: it makes of what is left after the mean is taken off `k` numbers
            that are uncorrelated and of variance 1.
        limit: A picture whose distance is above this is unlike them.
    """

    mean: NDArray[np.float32]
    whitening: NDArray[np.float32]
    limit: float

    def distance(self, description: NDArray[np.float32]) -> float:
        """The Mahalanobis distance of a picture, divided by √k: rarely above 1 for one like those learned from.

        Args:
            description: float32 `[k]`, from `describe_view`.

        Returns:
            At least 0.
        """
        return float(np.linalg.norm(self.whitening @ (description - self.mean))) / len(self.mean) ** 0.5

    @classmethod
    def of(cls, descriptions: NDArray[np.float32], limit_on: NDArray[np.float32]) -> Familiarity:
        """Learn what is familiar.

        The covariance of the standardised figures is shrunk towards a multiple of the identity, by as much as serves
        it best for so many pictures (Ledoit & Wolf 2004, doi:10.1016/S0047-259X(03)00096-4).

        Args:
            descriptions: float32 `[n, k]`, of the pictures that the model learned from.
            limit_on: float32 `[m, k]`, of others like them, which it did not learn from: the limit is the distance that
                `QUANTILE` of them keep.
        """
        values = descriptions.astype(np.float64)
        mean, deviation = values.mean(0), values.std(0)
        deviation[deviation < 1e-6] = 1.0
        covariance = _shrunk_covariance((values - mean) / deviation)
        root = np.linalg.cholesky(covariance + _FLOOR * np.eye(len(mean)))
        whitening = np.tril(np.linalg.inv(root) / deviation)
        everything = cls(mean.astype(np.float32), whitening.astype(np.float32), np.inf)
        limit = np.quantile([everything.distance(description) for description in limit_on], QUANTILE)
        return cls(everything.mean, everything.whitening, round(float(limit), 4))

    def __eq__(self, other: object) -> bool:
        """Whether both are the same to the bit."""
        return isinstance(other, Familiarity) and self.to_dict() == other.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms: numbers as base64 of 4 bytes each, little-endian; of the whitening the triangle."""
        triangle = self.whitening[np.tril_indices(len(self.mean))]
        return {"mean": _encode(self.mean), "whitening": _encode(triangle), "limit": self.limit}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Familiarity:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: It is something else.
        """
        try:
            mean, triangle = _decode(values["mean"]), _decode(values["whitening"])
            whitening = np.zeros((len(mean), len(mean)), np.float32)
            whitening[np.tril_indices(len(mean))] = triangle
            return cls(mean, whitening, float(values["limit"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"it does not say rightly what is familiar to it ({error!r})") from error


def _shrunk_covariance(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of `values`, `[n, k]`, each column of mean 0; `[k, k]`."""
    pictures, figures = values.shape
    covariance = values.T @ values / pictures
    target = np.trace(covariance) / figures * np.eye(figures)
    away = np.sum((covariance - target) ** 2)
    uncertain = (np.mean(np.sum(values**2, axis=1) ** 2) - np.sum(covariance**2)) / pictures
    share = min(1.0, uncertain / away) if away else 1.0
    return (1 - share) * covariance + share * target


def _contrasts(lightness: NDArray[np.float32]) -> list[float]:
    """The mean difference of neighbours, at the picture's scale and at each half of it."""
    found = []
    for _ in range(_SCALES):
        across = cv2.norm(lightness[:, 1:], lightness[:, :-1], cv2.NORM_L1)
        down = cv2.norm(lightness[1:], lightness[:-1], cv2.NORM_L1)
        found.append((across + down) / lightness.size)
        lightness = _half(lightness)
    return found


def _half(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _orbits(cells: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The cells of the corners, of the sides and of the middle: those that flips and turns exchange."""
    outer = (np.arange(_CELLS) % (_CELLS - 1) == 0).astype(int)
    times = outer[:, None] + outer
    return [cells[times == number] for number in (2, 1, 0)]


def _encode(numbers: NDArray[np.float32]) -> str:
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode()


def _decode(text: str) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
