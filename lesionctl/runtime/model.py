"""A model as a Python program uses it: a picture in, its mask and probabilities out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

import numpy as np

from lesionctl.errors import BadFile
from lesionctl.paths import DEFAULT_MODEL
from lesionctl.runtime.stream import Segmented, segment_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
            TypeError: It is neither the name of a file nor an array.
            ValueError: The array is no picture.
        """
        if isinstance(picture, np.ndarray):
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
                raise ValueError(f"a picture is uint8 [H, W, 3], not {picture.dtype} {list(picture.shape)}")
            frame = self.spec.frame(*picture.shape[:2])
            probability = self.segmenter.segment([np.ascontiguousarray(picture)])[0]
            return Segmentation(self.segmenter.mask(probability, frame), frame.restore(probability))
        if not _is_name(picture):
            raise TypeError(
                f"a picture is the name of a file or an array, uint8 [H, W, 3], and no {type(picture).__name__}: "
                "numpy.asarray(picture.convert('RGB')) makes an array of a picture of Pillow"
            )
        ((_, found),) = self.segment_each([picture])
        if not isinstance(found, Segmentation):
            raise BadFile(found.path, found.reason)
        return found

    def segment_each(self, pictures: Iterable[str | os.PathLike[str]]) -> Iterator[tuple[Path, Segmentation | Failure]]:
        """Find the lesions in many picture files, which are decoded ahead while the network works.

        Args:
            pictures: The files; read lazily.

        Returns:
            An iterator over each file with what was found in it, or with why it could not be used, in order.

        Raises:
            TypeError: It is one name alone, or, once the iterator gets there, one of them is no name.
        """
        if _is_one(pictures):
            raise TypeError(f"segment_each takes several files, and not one {type(pictures).__name__}: use segment")
        return self._segment_each(pictures)

    def _segment_each(
        self, pictures: Iterable[str | os.PathLike[str]]
    ) -> Iterator[tuple[Path, Segmentation | Failure]]:
        for outcome in segment_files(self.segmenter, map(_as_path, pictures)):
            if isinstance(outcome, Segmented):
                mask = self.segmenter.mask(outcome.probability, outcome.frame)
                yield outcome.path, Segmentation(mask, outcome.frame.restore(outcome.probability))
            else:
                yield outcome.path, outcome


def model_names(model: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[str]:
    """What a Python program calls a model, as names for `load_segmenter`.

    Args:
        model: A name, a path, or several; empty text is the default model.

    Raises:
        TypeError: It is none of these.
        ValueError: There are several, but none of them.
    """
    several: Iterable[object] = [DEFAULT_MODEL if model == "" else model]
    if isinstance(model, Iterable) and not _is_one(model):
        several = model
    names = []
    for name in several:
        if not _is_name(name):
            raise TypeError(f"a model is a name, a path, or several of them, and no {type(name).__name__}")
        names.append(os.fspath(name))
    if not names:
        raise ValueError("no model is named")
    return names


def _as_path(picture: str | os.PathLike[str]) -> Path:
    if not _is_name(picture):
        raise TypeError(f"segment_each takes the names of files, and no {type(picture).__name__}")
    return Path(picture)


def _is_one(value: object) -> bool:
    """Whether it is not several, though one could go through its letters."""
    return isinstance(value, str | bytes | os.PathLike)


def _is_name(value: object) -> TypeGuard[str | os.PathLike[str]]:
    return isinstance(value, str | os.PathLike) and not isinstance(os.fspath(value), bytes)
