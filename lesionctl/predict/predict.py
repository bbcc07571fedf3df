"""The pipeline: decode, batch, forward, threshold at the picture's own size, write."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from lesionctl.atomic import write_bytes
from lesionctl.errors import Failure
from lesionctl.imaging.masks import encode_mask
from lesionctl.imaging.overlay import draw_outline, encode_overlay
from lesionctl.runtime.stream import BATCH_SIZE, Segmented, segment_files
from lesionctl.runtime.threads import parallel_map

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lesionctl.imaging.arrays import Mask
    from lesionctl.predict.jobs import Job
    from lesionctl.runtime.segmenter import Segmenter

_OVERLAY_SIDE = 800  # overlays are for the eye: no side of them needs to be much longer than this


@dataclass(frozen=True)
class Prediction:
    """What was found in a picture.

    Attributes:
        image: The picture file.
        mask: The mask file that was written.
        overlay: The overlay that was written, if it was asked for.
        width: Width of the upright picture and of its mask, in pixels.
        height: Height of both, in pixels.
        lesion_pixels: Pixels of the mask that are lesion.
        lesion_fraction: Their share of the picture, in [0, 1].
        bounding_box: Left, top, right and bottom of the lesion in pixels, right and bottom exclusive; None if nothing
            was found.
        model: Name of the model.
        threshold: Probability above which a pixel is lesion.
    """

    image: Path
    mask: Path
    overlay: Path | None
    width: int
    height: int
    lesion_pixels: int
    lesion_fraction: float
    bounding_box: tuple[int, int, int, int] | None
    model: str
    threshold: float

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms."""
        overlay = None if self.overlay is None else str(self.overlay)
        return {**asdict(self), "image": str(self.image), "mask": str(self.mask), "overlay": overlay}


def predict(
    segmenter: Segmenter, jobs: list[Job], *, overlay: bool = False, batch_size: int = BATCH_SIZE
) -> Iterator[Prediction | Failure]:
    """Segment pictures and write their masks; each file appears whole or not at all.

    Args:
        segmenter: The model.
        jobs: The pictures and where their masks go.
        overlay: Write the picture with the lesion's outline too.
        batch_size: Pictures per run of the network.

    Yields:
        For each job, in order, what was found, or why there is no mask. A bad picture never stops the others.
    """
    keep_side = _OVERLAY_SIDE if overlay else None
    segmented = segment_files(segmenter, (job.image for job in jobs), batch_size=batch_size, keep_side=keep_side)

    def finish(pair: tuple[Job, Segmented | Failure]) -> Prediction | Failure:
        job, outcome = pair
        return outcome if isinstance(outcome, Failure) else _write(job, outcome, segmenter)

    yield from parallel_map(finish, zip(jobs, segmented, strict=True))


def _write(job: Job, segmented: Segmented, segmenter: Segmenter) -> Prediction | Failure:
    frame, spec = segmented.frame, segmenter.spec
    mask = segmenter.mask(segmented.probability, frame)
    try:
        job.mask.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(job.mask, encode_mask(mask))
        if segmented.image is not None:
            write_bytes(job.overlay, encode_overlay(draw_outline(segmented.image, mask)))
    except OSError as error:
        return Failure(job.image, f"its mask cannot be written to {job.mask} ({error.strerror or error})")
    pixels = int(np.count_nonzero(mask))
    return Prediction(
        image=job.image,
        mask=job.mask,
        overlay=None if segmented.image is None else job.overlay,
        width=frame.width,
        height=frame.height,
        lesion_pixels=pixels,
        lesion_fraction=round(pixels / mask.size, 6),
        bounding_box=_bounding_box(mask) if pixels else None,
        model=spec.name,
        threshold=spec.threshold,
    )


def _bounding_box(mask: Mask) -> tuple[int, int, int, int]:
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return left, top, left + width, top + height
