"""From picture files to probabilities: decoding runs ahead in threads while the network works."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lesionctl.errors import BadFile, Failure
from lesionctl.imaging.decode import decode
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
        probability: float32 `[size, size]`.
        image: The decoded picture, uint8 `[h, w, 3]` at some scale, where it was asked for; else None.
    """

    path: Path
    frame: Frame
    probability: Probability
    image: Image | None


@dataclass(frozen=True)
class _Framed:
    path: Path
    frame: Frame
    view: Image
    image: Image | None


def segment_files(
    segmenter: Segmenter, paths: Iterable[Path], *, batch_size: int = BATCH_SIZE, keep_side: int | None = None
) -> Iterator[Segmented | Failure]:
    """Segment picture files, in order, in memory that does not grow with their number.

    Args:
        segmenter: The model.
        paths: The files; read lazily.
        batch_size: Pictures per run of the network.
        keep_side: Keep the decoded pictures too, at a scale where no side is shorter than this, in pixels.

    Yields:
        For each file what the network saw in it, or why it could not be used.
    """
    for (outcome,) in segment_files_with_each([segmenter], paths, batch_size=batch_size, keep_side=keep_side):
        yield outcome


def segment_files_with_each(
    segmenters: Sequence[Segmenter],
    paths: Iterable[Path],
    *,
    batch_size: int = BATCH_SIZE,
    keep_side: int | None = None,
) -> Iterator[tuple[Segmented | Failure, ...]]:
    """Segment picture files with several models side by side.

    Models that look at pictures in the same way (size, resize rule) share the decoding; each result is to the bit that
    of its model alone.

    Args:
        segmenters: The models.
        paths: The files; read lazily.
        batch_size: Pictures per run of a network.
        keep_side: Keep the decoded pictures too, at a scale where no side is shorter than this, in pixels.

    Yields:
        For each file, what each network saw in it, or why it could not be used.
    """
    looks = {(segmenter.spec.size, segmenter.spec.resize): segmenter.spec for segmenter in segmenters}

    def frame_file(path: Path) -> dict[_Look, _Framed | Failure]:
        return {look: _frame_file(path, spec, keep_side) for look, spec in looks.items()}

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
    good = [item.view for item in items if isinstance(item, _Framed)]
    probabilities = iter(segmenter.forward(np.stack(good)) if good else ())
    return [
        item if isinstance(item, Failure) else Segmented(item.path, item.frame, next(probabilities), item.image)
        for item in items
    ]


def _frame_file(path: Path, spec: ModelSpec, keep_side: int | None) -> _Framed | Failure:
    try:
        decoded = decode(path, at_least=max(spec.size, keep_side or 0))
    except BadFile as error:
        return Failure(error.path, error.reason)
    frame = spec.frame(decoded.height, decoded.width)
    return _Framed(path, frame, frame.shrink(decoded.image), decoded.image if keep_side else None)
