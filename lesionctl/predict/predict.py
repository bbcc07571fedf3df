"""The pipeline: decode, batch, forward, threshold at the picture's own size, look at what was found, write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from lesionctl.atomic import write_bytes
from lesionctl.errors import BadFile, Failure
from lesionctl.imaging.decode import decode
from lesionctl.imaging.large import one_huge_at_a_time
from lesionctl.imaging.masks import MaskForm, encode_mask, encode_probability, read_mask
from lesionctl.imaging.measures import measure
from lesionctl.imaging.opening import MAX_PIXELS
from lesionctl.imaging.overlay import draw_outline, encode_overlay
from lesionctl.predict.coco import trace
from lesionctl.predict.contact_sheet import draw_thumbnail
from lesionctl.predict.records import Prediction
from lesionctl.predict.review import review
from lesionctl.runtime.stream import BATCH_SIZE, Segmented, segment_files
from lesionctl.runtime.threads import parallel_map

if TYPE_CHECKING:
    from pathlib import Path

    from lesionctl.imaging.arrays import Image, Mask
    from lesionctl.predict.coco import Polygons
    from lesionctl.predict.jobs import Job
    from lesionctl.predict.manifest import Manifest
    from lesionctl.runtime.segmenter import Segmenter

_OVERLAY_SIDE = 600  # overlays are for the eye: their shorter side needs no more pixels


@dataclass(frozen=True)
class Wishes:
    """What is wanted of each picture beside its files.

    Attributes:
        form: How many bits a pixel of a mask has.
        measures: Size, place, shape and colours of the lesion.
        polygons: The outline as polygons.
        thumbnail: A small picture with the outline.
    """

    form: MaskForm = MaskForm.GREY8
    measures: bool = True
    polygons: bool = False
    thumbnail: bool = False


class Outcome(NamedTuple):
    """A picture that has its mask.

    Attributes:
        prediction: What was found.
        polygons: The outline, where it was wanted and something was found.
        thumbnail: uint8 `[192, 256, 3]`, where it was wanted.
    """

    prediction: Prediction
    polygons: Polygons | None = None
    thumbnail: Image | None = None


def predict(
    segmenter: Segmenter,
    jobs: Sequence[Job],
    wishes: Wishes = Wishes(),
    *,
    done: Mapping[Path, Prediction] | None = None,
    manifest: Manifest | None = None,
    stop: Callable[[], bool] = bool,
    batch_size: int = BATCH_SIZE,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[Outcome | Failure]:
    """Segment pictures and write their masks; each file appears whole or not at all.

    Args:
        segmenter: The model.
        jobs: The pictures and where their masks go.
        wishes: What is wanted of each.
        done: By mask file, what an earlier run found: those pictures are not segmented again.
        manifest: Where each mask is written down.
        stop: Once it says so, no further picture is begun; those that are on their way come to their end.
        batch_size: Pictures per run of the network.
        max_pixels: A picture of more is refused.

    Yields:
        For each job, in order, what was found, or why there is no mask. A bad picture never stops the others.
    """
    done = done or {}
    begun = (job.image for job in jobs if job.mask not in done and not stop())
    keep_side = _OVERLAY_SIDE if any(job.overlay for job in jobs) else None
    segmented = segment_files(segmenter, begun, batch_size=batch_size, keep_side=keep_side, max_pixels=max_pixels)

    def work() -> Iterator[tuple[Job, Segmented | Failure | Prediction]]:
        for job in jobs:
            outcome = done.get(job.mask) or next(segmented, None)
            if outcome is None:
                return
            yield job, outcome

    def finish(item: tuple[Job, Segmented | Failure | Prediction]) -> Outcome | Failure:
        job, outcome = item
        try:
            if isinstance(outcome, Failure):
                return outcome
            if isinstance(outcome, Prediction):
                return _look_again(job, outcome, segmenter, wishes, max_pixels)
            with one_huge_at_a_time(outcome.frame.height * outcome.frame.width):
                return _finish(job, outcome, segmenter, wishes, manifest)
        except BadFile as error:
            return Failure(error.path, error.reason)
        except OSError as error:
            return Failure(job.image, f"its mask cannot be written to {job.mask} ({error.strerror or error})")

    yield from parallel_map(finish, work())


def _finish(job: Job, segmented: Segmented, segmenter: Segmenter, wishes: Wishes, manifest: Manifest | None) -> Outcome:
    began = time.perf_counter()
    frame, spec = segmented.frame, segmenter.spec
    mask = segmenter.mask(segmented.probability, frame)
    found = review(mask, segmented, spec)
    prediction = Prediction(
        image=job.image,
        mask=job.mask,
        overlay=job.overlay,
        probabilities=job.probabilities,
        width=frame.width,
        height=frame.height,
        measures=measure(mask, segmented.view, frame) if wishes.measures else None,
        confidence=found.confidence,
        flags=found.flags,
        seconds=segmented.seconds,
        model=spec.name,
        model_digest=segmenter.digest,
        threshold=spec.threshold,
    )
    outcome = Outcome(
        prediction,
        trace(mask) if wishes.polygons else None,
        draw_thumbnail(segmented.view, frame, mask) if wishes.thumbnail else None,
    )
    content = encode_mask(mask, wishes.form)
    job.mask.parent.mkdir(parents=True, exist_ok=True)
    if job.overlay is not None and segmented.image is not None:
        write_bytes(job.overlay, encode_overlay(draw_outline(segmented.image, mask)))
    if job.probabilities is not None:
        write_bytes(job.probabilities, encode_probability(segmented.probability, frame))
    prediction = replace(prediction, seconds=segmented.seconds + time.perf_counter() - began)
    if manifest is not None:
        manifest.record(job, prediction)
    write_bytes(job.mask, content)  # last: a mask that is there means that all else is
    return outcome._replace(prediction=prediction)


def _look_again(job: Job, prediction: Prediction, segmenter: Segmenter, wishes: Wishes, max_pixels: int) -> Outcome:
    """What an earlier run found, with what is wanted of it now made from its mask."""
    prediction = replace(
        prediction, image=job.image, mask=job.mask, overlay=job.overlay, probabilities=job.probabilities
    )
    unmeasured = wishes.measures and prediction.measures is None
    if not (wishes.polygons or wishes.thumbnail or unmeasured):
        return Outcome(prediction)
    mask: Mask = read_mask(job.mask)
    thumbnail = None
    if wishes.thumbnail or unmeasured:
        decoded = decode(job.image, segmenter.spec.size, max_pixels)
        frame = segmenter.spec.frame(decoded.height, decoded.width)
        view = frame.shrink(decoded.image)
        thumbnail = draw_thumbnail(view, frame, mask) if wishes.thumbnail else None
        prediction = replace(prediction, measures=measure(mask, view, frame)) if unmeasured else prediction
    return Outcome(prediction, trace(mask) if wishes.polygons else None, thumbnail)
