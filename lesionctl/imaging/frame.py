"""Between a picture and the network's square input: the one home of the resize rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionctl.imaging.resize_rule import ResizeRule

if TYPE_CHECKING:
    from lesionctl.imaging.arrays import Image, Mask, Probability

Levels = TypeVar("Levels", NDArray[np.float32], NDArray[np.uint16])

# Pictures are worked on by as many threads as there are processors: OpenCV's own, in each of them, would only make them
# wait for one another.
cv2.setNumThreads(1)

_POINTS = 4


@dataclass(frozen=True)
class Frame:
    """How one picture is mapped into the network's input, and back.

    Attributes:
        height: Height of the upright picture, in pixels.
        width: Width of the upright picture, in pixels.
        size: Side of the network's square input, in pixels.
        top: First row of the square that shows the picture.
        left: First column of the square that shows the picture.
        rows: Rows of the square that show the picture.
        columns: Columns of the square that show the picture.
    """

    height: int
    width: int
    size: int
    top: int
    left: int
    rows: int
    columns: int

    @classmethod
    def fit(cls, height: int, width: int, size: int, rule: ResizeRule) -> Frame:
        """Map a picture of `height` × `width` pixels into a square of `size` pixels by `rule`."""
        if rule is ResizeRule.SQUASH:
            return cls(height, width, size, 0, 0, size, size)
        scale = size / max(height, width)
        rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
        return cls(height, width, size, (size - rows) // 2, (size - columns) // 2, rows, columns)

    def shrink(self, image: Image) -> Image:
        """The network's view of the picture.

        Args:
            image: uint8 `[h, w, 3]`: the picture, or the same picture decoded at a smaller scale.

        Returns:
            uint8 `[size, size, 3]`.
        """
        return self._embed(_resize(image, self.rows, self.columns))

    def shrink_mask(self, mask: Mask) -> Mask:
        """The mask in the network's geometry: true where the lesion covers at least half of a pixel.

        Args:
            mask: bool `[H, W]`; one that is more than four times as large is looked at in 4 × 4 points of each pixel.

        Returns:
            bool `[size, size]`.
        """
        pixels: Image = mask.view(np.uint8)
        rows, columns = _POINTS * self.rows, _POINTS * self.columns
        if rows < mask.shape[0] and columns < mask.shape[1]:
            # Averaging over a fractional area takes longer than all the rest of preparing a large picture; by halves
            # it has a fast path.
            pixels = cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_NEAREST_EXACT)  # type: ignore[assignment]
            pixels = _resize(pixels * np.uint8(255), rows // 2, columns // 2)
        else:
            pixels = pixels * np.uint8(255)
        return self._embed(_resize(pixels, self.rows, self.columns)) > 127

    def restore(self, probability: Levels) -> Levels:
        """Probabilities at the picture's own size, interpolated bilinearly.

        Args:
            probability: `[h, w]`: the network's output for the whole square, at any scale; float32 in [0, 1], or uint16
                where a picture of half the bytes will do.

        Returns:
            `[height, width]`, of the same type and range.
        """
        size = (self.width, self.height)
        restored: Levels = cv2.resize(self._crop(probability), size, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        return restored

    def restore_mask(self, probability: Probability, threshold: float) -> Mask:
        """Where the probability is above a threshold, at the picture's own size.

        It is `restore(probability) > threshold`, without making that picture, which takes four times the memory of the
        mask and several times as long. Between two rows of the network, each column of the picture goes from one
        probability to another in a straight line: where both ends are on the same side of the threshold, all between
        is. Only what is left, the outline, is interpolated, by the same formula. Pixels may differ that are a rounding
        error of float32 away from the threshold.

        Args:
            probability: float32 `[h, w]` in [0, 1]: the network's output for the whole square, at any scale.
            threshold: In [0, 1].

        Returns:
            bool `[height, width]`. Besides it and `[h, width]` floats, memory is taken for the outline alone.
        """
        content = self._crop(probability)
        rows = len(content)
        wide: Probability = cv2.resize(content, (self.width, rows), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        above = wide > threshold
        upper, weight = _rows_above(self.height, rows)
        mask = above.take(upper.clip(0, rows - 1), axis=0)

        first = np.searchsorted(upper, np.arange(rows))  # of the picture's rows, below each of the network's
        between = np.diff(first)
        changes = above[:-1] != above[1:]
        changes[between == 0] = False
        row, column = np.divmod(np.flatnonzero(changes), self.width)
        start, end = wide[row, column], wide[row + 1, column]
        y, last = first[row], first[row + 1] - 1
        for _ in range(between.max(initial=0)):
            share = weight[y]
            mask[y, column] = start * (1 - share) + end * share > threshold
            y = np.minimum(y + 1, last)  # fewer rows than elsewhere: the last is done again
        return mask

    def _crop(self, square: Levels) -> Levels:
        """What shows the picture."""
        scale = square.shape[0] / self.size
        top, left = round(self.top * scale), round(self.left * scale)
        rows, columns = max(1, round(self.rows * scale)), max(1, round(self.columns * scale))
        return square[top : top + rows, left : left + columns]

    def _embed(self, content: Image) -> Image:
        if content.shape[:2] == (self.size, self.size):
            return content
        square = np.zeros((self.size, self.size, *content.shape[2:]), content.dtype)
        square[self.top : self.top + self.rows, self.left : self.left + self.columns] = content
        return square


def _rows_above(height: int, rows: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """For each of `height` rows, which of `rows` it lies at or below, from -1, and how far on the way to the next."""
    place = ((np.arange(height) + 0.5) * (rows / height) - 0.5).astype(np.float32)  # as OpenCV has it
    row = np.floor(place)
    return row.astype(np.intp), place - row


def _resize(pixels: Image, rows: int, columns: int) -> Image:
    """Average over the covered area where both sides shrink, else bilinear."""
    height, width = pixels.shape[:2]
    if (height, width) == (rows, columns):
        return pixels
    shrinks = rows <= height and columns <= width
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized: Image = cv2.resize(pixels, (columns, rows), interpolation=interpolation)  # type: ignore[assignment]
    return resized
