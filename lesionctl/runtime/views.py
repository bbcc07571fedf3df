"""A picture looked at in all eight ways that a square can lie: what people call test-time augmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionctl.runtime.segmenter import Segmenter
from lesionctl.runtime.spread import mean_and_spread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_TURNS = 4
VIEWS = 2 * _TURNS


class DihedralSegmenter(Segmenter):
    """The mean of what a model says of the eight views of a picture: turned by quarters, and flipped or not.

    The views are of the network's square, padding and all, so each pixel's answer comes back to it exactly. All that a
    mask is made with (threshold, post-processing) is the model's own.

    Args:
        segmenter: The model, or several as one.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self.spec = segmenter.spec
        self.backend = f"{segmenter.backend} ×{VIEWS} views"
        self.digest = segmenter.digest

    @property
    def parameters(self) -> int:
        """Of the model."""
        return self.segmenter.parameters

    def forward(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Segmenter.forward`; it takes eight times as long as the model alone."""
        return self.forward_with_spread(batch)[0]

    def forward_with_spread(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `Segmenter.forward_with_spread`; of several models, the deviation is that over all views of each."""
        within = np.zeros(batch.shape[:3], np.float32)

        def answers() -> Iterator[NDArray[np.float32]]:
            for turns in range(_TURNS):
                for flipped in (False, True):
                    turned = np.rot90(batch[:, :, ::-1] if flipped else batch, turns, axes=(1, 2))
                    answer, spread = self.segmenter.forward_with_spread(np.ascontiguousarray(turned))
                    if spread is not None:
                        nonlocal within
                        within = within + _turn_back(spread, turns, flipped) ** 2
                    yield _turn_back(answer, turns, flipped)

        mean, between = mean_and_spread(answers())
        return mean, np.sqrt(between**2 + within / np.float32(VIEWS))


def _turn_back(answer: NDArray[np.float32], turns: int, flipped: bool) -> NDArray[np.float32]:
    upright = np.rot90(answer, -turns, axes=(1, 2))
    return upright[:, :, ::-1] if flipped else upright
