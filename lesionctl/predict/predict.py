"""The pipeline: decode, batch, forward, threshold at the picture's own size, look at what was found, write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from lesionctl.atomic import write_bytes
from lesionctl.dataset.marks import Made, mark
from lesionctl.errors import BadFile, Failure
from lesionctl.imaging.decode import decode
from lesionctl.imaging.large import one_huge_at_a_time
from lesionctl.imaging.mask_form import MaskForm
from lesionctl.imaging.masks import encode_mask, encode_probability, read_mask
from lesionctl.imaging.measures import measure
from lesionctl.imaging.opening import MAX_PIXELS
from lesionctl.imaging.overlay import draw_outline, encode_overlay
from lesionctl.predict.coco import trace
from lesionctl.predict.contact_sheet import draw_thumbnail
from lesionctl.predict.manifest import digest_of
from lesionctl.predict.records import Prediction
from lesionctl.predict.review import review
from lesionctl.predict.same_picture import NOBODY, Signature, glance, sign
from lesionctl.runtime.stream import BATCH_SIZE, Segmented, segment_files
from lesionctl.runtime.threads import parallel_map

if TYPE_CHECKING:
    from pathlib import Path

    from lesionctl.imaging.arrays import Image, Mask
    from lesionctl.predict.coco import Polygons
    from lesionctl.predict.jobs import Job
    from lesionctl.predict.manifest import Manifest
    from lesionctl.predict.manifest_file import Entry
    from lesionctl.runtime.segmenter import Segmenter

_OVERLAY_SIDE = 600  # overlays are for the eye: their shorter side needs no more pixels


@dataclass(frozen=True)
class Wishes:
    """What is wanted of each picture beside its files.

    Attributes:
        form: How many bits a pixel of a mask has.
        measures: Size, place, shape and colours of the lesion.
        polygons: The outline as polygons.
        traced: Masks done before whose polygons are known.
        thumbnail: A small picture with the outline.
    """

    form: MaskForm = MaskForm.GREY8
    measures: bool = True
    polygons: bool = False
    traced: frozenset[Path] = frozenset()
    thumbnail: bool = False


class Outcome(NamedTuple):
    """A picture that has its mask.

    Attributes:
        prediction: What was found.
        digest: Of its mask's file, see `digest_of`.
        polygons: The outline, where it was wanted and something was found.
        thumbnail: uint8 `[192, 256, 3]`, where it was wanted.
    """

    prediction: Prediction
    digest: str
    polygons: Polygons | None = None
    thumbnail: Image | None = None


def predict(
    segmenter: Segmenter,
    jobs: Sequence[Job],
    wishes: Wishes = Wishes(),
    *,
    done: Mapping[Path, Entry | Failure] | None = None,
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
        done: By mask file, what is known of them before: those pictures are not segmented again.
        manifest: Where each mask is written down.
        stop: Once it says so, no further picture is begun, and none that was done before is looked at again; those that
            are on their way come to their end.
        batch_size: Pictures per run of the network.
        max_pixels: A picture of more is refused.

    Yields:
        For each job, in order, what was found, or why there is no mask. A bad picture never stops the others.
    """
    done = done or {}
    signatures: dict[Path, Signature] = {}

    def begin() -> Iterator[Path]:
        for job in jobs:
            if job.mask in done:
                continue
            if stop():
                return
            # Before it is read: a picture that changes meanwhile is found to be another one by the next run.
            signatures[job.mask] = glance(job.image) or NOBODY
            yield job.image

    keep_side = _OVERLAY_SIDE if any(job.overlay for job in jobs) else None
    segmented = segment_files(segmenter, begin(), batch_size=batch_size, keep_side=keep_side, max_pixels=max_pixels)

    def work() -> Iterator[tuple[Job, Segmented | Failure | Entry]]:
        for job in jobs:
            before = done.get(job.mask)
            if before is not None:
                if not stop():
                    yield job, before
                continue
            outcome = next(segmented, None)
            if outcome is None:
                return
            yield job, outcome

    def finish(item: tuple[Job, Segmented | Failure | Entry]) -> Outcome | Failure:
        job, outcome = item
        try:
            if isinstance(outcome, Segmented):
                with one_huge_at_a_time(outcome.frame.height * outcome.frame.width):
                    return _finish(job, outcome, segmenter, wishes, manifest, signatures.pop(job.mask))
            if not isinstance(outcome, Failure):
                return _look_again(job, outcome, segmenter, wishes, manifest, max_pixels)
            failure = outcome
        except BadFile as error:
            failure = Failure(error.path, error.reason)
        except OSError as error:
            failure = Failure(job.image, f"its mask cannot be written to {job.mask} ({error.strerror or error})")
        if manifest is not None:
            with suppress(OSError):  # the folder may not be written to, which is what the failure says
                manifest.give_up(job)
        return failure

    yield from parallel_map(finish, work())


def _finish(
    job: Job,
    segmented: Segmented,
    segmenter: Segmenter,
    wishes: Wishes,
    manifest: Manifest | None,
    signature: Signature,
) -> Outcome:
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
    content = mark(encode_mask(mask, wishes.form), Made.MASK)
    outcome = Outcome(
        prediction,
        digest_of(content),
        trace(mask) if wishes.polygons else None,
        draw_thumbnail(segmented.view, frame, mask) if wishes.thumbnail else None,
    )
    job.mask.parent.mkdir(parents=True, exist_ok=True)
    if manifest is not None:
        manifest.make_way(job)
    if job.overlay is not None and segmented.image is not None:
        write_bytes(job.overlay, mark(encode_overlay(draw_outline(segmented.image, mask)), Made.OVERLAY))
    if job.probabilities is not None:
        content_of_levels = encode_probability(segmented.probability, frame)
        write_bytes(job.probabilities, mark(content_of_levels, Made.PROBABILITIES))
    prediction = replace(prediction, seconds=segmented.seconds + time.perf_counter() - began)
    if manifest is not None:
        manifest.record(job, prediction, sign(job.image, signature), outcome.digest)
    write_bytes(job.mask, content)  # last: a mask that is there means that all else is
    return outcome._replace(prediction=prediction)


def _look_again(
    job: Job, entry: Entry, segmenter: Segmenter, wishes: Wishes, manifest: Manifest | None, max_pixels: int
) -> Outcome:
    """What an earlier run found, with what is wanted of it now made from its mask."""
    prediction = replace(
        entry.prediction, image=job.image, mask=job.mask, overlay=job.overlay, probabilities=job.probabilities
    )
    unmeasured = wishes.measures and prediction.measures is None
    traced = wishes.polygons and job.mask not in wishes.traced
    if not (traced or wishes.thumbnail or unmeasured):
        return Outcome(prediction, entry.digest)
    mask: Mask = read_mask(job.mask)
    thumbnail = None
    if wishes.thumbnail or unmeasured:
        decoded = decode(job.image, segmenter.spec.size, max_pixels)
        frame = segmenter.spec.frame(decoded.height, decoded.width)
        view = frame.shrink(decoded.image)
        thumbnail = draw_thumbnail(view, frame, mask) if wishes.thumbnail else None
        if unmeasured:
            measures = measure(mask, view, frame)
            prediction = replace(prediction, measures=measures)
            if manifest is not None:  # so that nobody has to measure it once more
                manifest.record(job, replace(entry.prediction, measures=measures), entry.picture, entry.digest)
    return Outcome(prediction, entry.digest, trace(mask) if traced else None, thumbnail)
