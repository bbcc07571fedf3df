"""A whole prediction: what earlier runs made is kept, the rest is made, and files about all pictures are written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lesionctl.atomic import remove_leftovers
from lesionctl.errors import Failure, Interrupted, SomeInputsFailed
from lesionctl.imaging.mask_form import MaskForm
from lesionctl.imaging.opening import MAX_PIXELS
from lesionctl.predict.collect import Collection
from lesionctl.predict.manifest import Existing, Manifest, recipe_of
from lesionctl.predict.predict import predict
from lesionctl.predict.shard import Shard
from lesionctl.progress import Silent
from lesionctl.runtime.stop import listen_for_stop
from lesionctl.runtime.stream import BATCH_SIZE
from lesionctl.runtime.threads import available_cpus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lesionctl.predict.jobs import Job
    from lesionctl.predict.records import Prediction
    from lesionctl.progress import Progress
    from lesionctl.runtime.segmenter import Segmenter

_ALL = Shard()


@dataclass(frozen=True)
class RunOptions:
    """What is made, and what becomes of what is there already.

    Attributes:
        form: How many bits a pixel of a mask has.
        how: What the model was asked to run with, in a few words: a mask that was made otherwise is another one.
            Without it, what it runs with, which may change with the number of pictures where the program chose it.
        existing: What to do with masks that would be made otherwise.
        shard: The share of the pictures that the jobs are; files about all of them are named by it.
        measures: Size, shape and colours are wanted of each picture; a table has them in any case.
        csv: A table with a row for each picture.
        polygons: A COCO file of outlines.
        contact_sheet: A PNG of small pictures.
        batch_size: Pictures per run of the network.
        max_pixels: A picture of more is refused.
    """

    form: MaskForm = MaskForm.GREY8
    how: str = ""
    existing: Existing = Existing.REFUSE
    shard: Shard = _ALL
    measures: bool = False
    csv: Path | None = None
    polygons: Path | None = None
    contact_sheet: Path | None = None
    batch_size: int = BATCH_SIZE
    max_pixels: int = MAX_PIXELS


@dataclass
class RunResult:
    """What came of a run.

    Attributes:
        pictures: How many there are.
        masks: How many of them have their masks, those included that had them before.
        failures: Those that could not be used, and why.
        flagged: How many of the masks that were seen should be looked at.
        flags: How many have each flag.
        stopped_by: The signal that ended it before all was done.
    """

    pictures: int
    masks: int = 0
    failures: list[Failure] = field(default_factory=list)
    flagged: int = 0
    flags: Counter[str] = field(default_factory=Counter)
    stopped_by: str | None = None

    @property
    def error(self) -> SomeInputsFailed | None:
        """What is to be said of the failures; None where there are none."""
        if not self.failures:
            return None
        # A picture that has its mask may fail too, where more is wanted of it.
        return SomeInputsFailed(self.failures, min(self.pictures, self.masks + len(self.failures)))

    @property
    def interruption(self) -> Interrupted | None:
        """What is to be said of a run that was stopped; None where all was done."""
        if self.stopped_by is None:
            return None
        return Interrupted(
            f"stopped by {self.stopped_by}: {self.masks:,} of {self.pictures:,} pictures have their masks",
            hint="the same command goes on",
        )


def run(
    segmenter: Segmenter,
    jobs: Sequence[Job],
    out: Path,
    options: RunOptions = RunOptions(),
    *,
    progress: Progress | None = None,
    show: Callable[[Prediction], None] | None = None,
) -> RunResult:
    """Make the masks that are not there yet, and all that is wanted of each picture.

    The same call goes on where a run was stopped or killed. A signal (Ctrl-C, SIGTERM, SIGUSR1) ends it after those
    pictures that are on their way.

    Args:
        segmenter: The model.
        jobs: The pictures and where their masks go; see `plan_jobs`.
        out: The folder of the masks.
        options: What is made.
        progress: Who is told how far it is.
        show: Is given what was found in each picture, in the order of the jobs.

    Raises:
        UsageError: There are masks that are not to be replaced, or something else in the place of a file.
        LesionctlError: Another process works on some of the same pictures or writes the same file, or one cannot be
            written.
    """
    progress = progress or Silent()
    spec = segmenter.spec
    how = options.how or segmenter.backend
    recipe = recipe_of(segmenter.digest, spec.threshold, spec.postprocess, how, options.form)
    csv, polygons, sheet = (
        file and options.shard.name(file) for file in (options.csv, options.polygons, options.contact_sheet)
    )
    progress.detail(
        f"{spec.name} (SHA-256 {segmenter.digest[:12]}) runs on {segmenter.backend}: input {spec.size} px, "
        f"{options.batch_size} pictures at once, threshold {spec.threshold:.2f}, {spec.postprocess.describe()}"
    )
    progress.detail(f"{len(jobs):,} pictures, read, written and measured by threads: {available_cpus()}")
    result = RunResult(len(jobs))
    with Manifest(out, recipe, options.shard) as manifest, listen_for_stop() as stop:
        remove_leftovers(file for job in jobs for file in job.files)
        standing = manifest.survey(jobs, options.existing, lambda: bool(stop))
        done = standing.done
        before = sum(not isinstance(entry, Failure) for entry in done.values())
        result.masks = before
        if stop:  # not all is known of what is there: nothing of it may be touched
            result.stopped_by = stop.signal
            return result
        if before:
            progress.say(f"{before:,} of {len(jobs):,} masks are there already")
        if standing.changed:
            progress.say(
                f"{standing.changed:,} of {len(jobs):,} pictures have changed since: their masks are made anew"
            )
        with Collection(out, csv=csv, polygons=polygons, contact_sheet=sheet) as collection:
            collection.forget([job for job in jobs if job.mask not in done])
            outcomes = predict(
                segmenter,
                jobs,
                collection.wishes(options.form, jobs, done, measures=options.measures),
                done=done,
                manifest=manifest,
                stop=lambda: bool(stop),
                batch_size=options.batch_size,
                max_pixels=options.max_pixels,
            )
            seen = 0
            with progress.task("segmenting", len(jobs), done=before) as task:
                for outcome in outcomes:
                    seen += 1
                    if isinstance(outcome, Failure):
                        result.failures.append(outcome)
                        task.advance()
                        continue
                    collection.add(outcome)
                    if show is not None:
                        show(outcome.prediction)
                    if outcome.prediction.mask not in done:
                        result.masks += 1
                        task.advance()
    if stop and seen < len(jobs):
        result.stopped_by = stop.signal
    result.flags, result.flagged = collection.flags, collection.flagged
    return result
