"""A model as a Python program uses it: a picture in, its mask and probabilities out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lesionctl.errors import BadFile
from lesionctl.runtime.stream import Segmented, segment_files

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from lesionctl.errors import Failure
    from lesionctl.imaging.arrays import Image, Mask, Probability
    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.segmenter import Segmenter


class Segmentation(NamedTuple):
    """What was found in a picture.

    Attributes:
        mask: bool `[H, W]`, true on the lesion.
        probability: float32 `[H, W]` in [0, 1], before the threshold and what is done to the mask then.
    """

    mask: Mask
    probability: Probability


class Model:
    """A model that is ready to run; `lesionctl.load` makes one.

    Attributes:
        segmenter: What runs it.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter

    @property
    def spec(self) -> ModelSpec:
        """How the model is used, and what is known of it."""
        return self.segmenter.spec

    def segment(self, picture: str | os.PathLike[str] | Image) -> Segmentation:
        """Find the lesion in one picture, exactly as `lesionctl predict` does.

        Args:
            picture: A file of any kind that `predict` reads, or uint8 `[H, W, 3]`, RGB and upright.

        Raises:
            BadFile: The file cannot be used.
            ValueError: The array is no picture.
        """
        if isinstance(picture, np.ndarray):
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
                raise ValueError(f"a picture is uint8 [H, W, 3], not {picture.dtype} {list(picture.shape)}")
            frame = self.spec.frame(*picture.shape[:2])
            probability = self.segmenter.segment([picture])[0]
            return Segmentation(self.segmenter.mask(probability, frame), frame.restore(probability))
        ((_, found),) = self.segment_each([picture])
        if not isinstance(found, Segmentation):
            raise BadFile(found.path, found.reason)
        return found

    def segment_each(self, pictures: Iterable[str | os.PathLike[str]]) -> Iterator[tuple[Path, Segmentation | Failure]]:
        """Find the lesions in many picture files, which are decoded ahead while the network works.

        Args:
            pictures: The files; read lazily.

        Yields:
            Each file with what was found in it, or with why it could not be used.
        """
        for outcome in segment_files(self.segmenter, map(Path, pictures)):
            if isinstance(outcome, Segmented):
                mask = self.segmenter.mask(outcome.probability, outcome.frame)
                yield outcome.path, Segmentation(mask, outcome.frame.restore(outcome.probability))
            else:
                yield outcome.path, outcome
