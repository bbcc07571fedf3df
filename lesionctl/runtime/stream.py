"""From picture files to probabilities: decoding runs ahead in threads while the network works."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice, repeat
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

from lesionctl.errors import BadFile, Failure
from lesionctl.imaging.decode import decode
from lesionctl.imaging.opening import MAX_PIXELS
from lesionctl.runtime.threads import parallel_map

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from lesionctl.imaging.arrays import Image, Probability
    from lesionctl.imaging.frame import Frame
    from lesionctl.imaging.resize_rule import ResizeRule
    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.segmenter import Segmenter

BATCH_SIZE = 8

_Look: TypeAlias = "tuple[int, ResizeRule]"
"""How a model looks at pictures: the side of its square, in pixels, and how a picture becomes one."""


@dataclass(frozen=True)
class Segmented:
    """A picture that went through the network.

    Attributes:
        path: Its file.
        frame: How it was mapped into the network's geometry.
        view: What the network saw, uint8 `[size, size, 3]`.
        probability: float32 `[size, size]`.
        spread: How far the answers that it is the mean of lie apart, float32 `[size, size]`; None where it is one.
        image: The decoded picture, uint8 `[h, w, 3]` at some scale, where it was asked for; else None.
        seconds: Of reading, decoding and the picture's share of the network's work.
    """

    path: Path
    frame: Frame
    view: Image
    probability: Probability
    spread: Probability | None
    image: Image | None
    seconds: float


@dataclass(frozen=True)
class _Framed:
    path: Path
    frame: Frame
    view: Image
    image: Image | None
    seconds: float


def segment_files(
    segmenter: Segmenter,
    paths: Iterable[Path],
    *,
    batch_size: int = BATCH_SIZE,
    keep_side: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[Segmented | Failure]:
    """Segment picture files, in order, in memory that does not grow with their number.

    Args:
        segmenter: The model.
        paths: The files; read lazily.
        batch_size: Pictures per run of the network.
        keep_side: Keep the decoded pictures too, at a scale where no side is shorter than this, in pixels.
        max_pixels: A picture of more is refused.

    Yields:
        For each file what the network saw in it, or why it could not be used.
    """
    for (outcome,) in segment_files_with_each(
        [segmenter], paths, batch_size=batch_size, keep_side=keep_side, max_pixels=max_pixels
    ):
        yield outcome


def segment_files_with_each(
    segmenters: Sequence[Segmenter],
    paths: Iterable[Path],
    *,
    batch_size: int = BATCH_SIZE,
    keep_side: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[tuple[Segmented | Failure, ...]]:
    """Segment picture files with several models side by side.

    Models that look at pictures in the same way (size, resize rule) share the decoding; each result is to the bit that
    of its model alone.

    Args:
        segmenters: The models.
        paths: The files; read lazily.
        batch_size: Pictures per run of a network.
        keep_side: Keep the decoded pictures too, at a scale where no side is shorter than this, in pixels.
        max_pixels: A picture of more is refused.

    Yields:
        For each file, what each network saw in it, or why it could not be used.
    """
    looks = {(segmenter.spec.size, segmenter.spec.resize): segmenter.spec for segmenter in segmenters}

    def frame_file(path: Path) -> dict[_Look, _Framed | Failure]:
        return {look: _frame_file(path, spec, keep_side, max_pixels) for look, spec in looks.items()}

    framed = parallel_map(frame_file, paths)
    while chunk := list(islice(framed, batch_size)):
        yield from zip(
            *(
                _forward(segmenter, [views[segmenter.spec.size, segmenter.spec.resize] for views in chunk])
                for segmenter in segmenters
            ),
            strict=True,
        )


def _forward(segmenter: Segmenter, items: list[_Framed | Failure]) -> list[Segmented | Failure]:
    framed = [item for item in items if isinstance(item, _Framed)]
    if not framed:
        return list(items)  # type: ignore[arg-type] # failures alone
    began = time.perf_counter()
    probabilities, spreads = segmenter.forward_with_spread(np.stack([item.view for item in framed]))
    seconds = (time.perf_counter() - began) / len(framed)
    answers = iter(zip(probabilities, repeat(None) if spreads is None else spreads, strict=False))
    return [item if isinstance(item, Failure) else _segmented(item, *next(answers), seconds) for item in items]


def _segmented(item: _Framed, probability: Probability, spread: Probability | None, seconds: float) -> Segmented:
    return Segmented(item.path, item.frame, item.view, probability, spread, item.image, item.seconds + seconds)


def _frame_file(path: Path, spec: ModelSpec, keep_side: int | None, max_pixels: int) -> _Framed | Failure:
    began = time.perf_counter()
    try:
        decoded = kept = decode(path, spec.size, max_pixels)
        # What the network sees must not depend on what else is made of the picture: that is decoded for itself.
        if keep_side and min(decoded.image.shape[:2]) < min(keep_side, decoded.height, decoded.width):
            kept = decode(path, keep_side, max_pixels)
    except BadFile as error:
        return Failure(error.path, error.reason)
    frame = spec.frame(decoded.height, decoded.width)
    view = frame.shrink(decoded.image)
    image = _shrink(kept.image, keep_side) if keep_side else None
    return _Framed(path, frame, view, image, time.perf_counter() - began)


def _shrink(image: Image, shorter_side: int) -> Image:
    """A picture that waits for its mask in few bytes: no larger than it was asked to be."""
    height, width = image.shape[:2]
    scale = shorter_side / min(height, width)
    if scale >= 1:
        return image
    size = (round(width * scale), round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
