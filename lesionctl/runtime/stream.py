"""From picture files to probabilities: decoding runs ahead in threads while the network works."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.errors import BadFile, Failure
from lesionctl.imaging.decode import decode
from lesionctl.runtime.threads import parallel_map

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from lesionctl.imaging.arrays import Image, Probability
    from lesionctl.imaging.frame import Frame
    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.runtime.segmenter import Segmenter

BATCH_SIZE = 8


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
    framed = parallel_map(partial(_frame_file, spec=segmenter.spec, keep_side=keep_side), paths)
    while chunk := list(islice(framed, batch_size)):
        good = [item for item in chunk if isinstance(item, _Framed)]
        probabilities = iter(segmenter.forward(np.stack([item.view for item in good])) if good else ())
        for item in chunk:
            if isinstance(item, Failure):
                yield item
            else:
                yield Segmented(item.path, item.frame, next(probabilities), item.image)


def _frame_file(path: Path, spec: ModelSpec, keep_side: int | None) -> _Framed | Failure:
    try:
        decoded = decode(path, at_least=max(spec.size, keep_side or 0))
    except BadFile as error:
        return Failure(error.path, error.reason)
    frame = spec.frame(decoded.height, decoded.width)
    return _Framed(path, frame, frame.shrink(decoded.image), decoded.image if keep_side else None)
