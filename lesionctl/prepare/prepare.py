"""The whole of preparing: list, audit, group, split, store."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionctl.atomic import escape_undecodable, resumable_directory, write_text
from lesionctl.dataset.samples import Sample, Split
from lesionctl.dataset.store import StoreWriter
from lesionctl.errors import BadFile, Failure, Interrupted, LesionctlError, UsageError
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.prepare.audit import AuditedPair, Examination, audit_pair, findings_of
from lesionctl.prepare.findings import Finding, Kind, format_findings
from lesionctl.prepare.fingerprint import format_fingerprints, summarise
from lesionctl.prepare.groups import group_by_shared_keys
from lesionctl.prepare.journal import Journal, identify_work
from lesionctl.prepare.likeness import find_likeness
from lesionctl.prepare.listing import list_records
from lesionctl.prepare.official import Overlap, settle_overlap, split_groups
from lesionctl.prepare.page import write_page
from lesionctl.prepare.split import Shares, deal, form_groups
from lesionctl.progress import Progress, Silent, track
from lesionctl.runtime.stop import listen_for_stop
from lesionctl.runtime.threads import available_cpus, parallel_map

if TYPE_CHECKING:
    from lesionctl.prepare.sources import Record, Source

_CHECKPOINT_EVERY = 64  # pairs: what a kill can cost


@dataclass(frozen=True)
class PrepareOptions:
    """How to prepare.

    Attributes:
        size: Side of the stored squares, in pixels.
        resize: How pictures become squares.
        binarise_at: Take what is above this grey value of a mask as lesion; None: refuse masks that are not binary.
        shares: How much each split takes.
        folds: Folds of a cross-validation over all that is not test; 0 for none.
        seed: Seed of the split.
        resplit: Draw the split anew even where sets bring official ones.
        overlap: What to do where official splits overlap.
        metadata: More tables of metadata, beside those that lie with the sources.
        group_by: Columns of the metadata that keep pictures together; lesion_id, patient_id and group by default.
        page: Write `audit.html`, a page of thumbnails.
        overwrite: Replace a store that stands there already.

    Raises:
        UsageError: A value makes no sense.
    """

    size: int = 320
    resize: ResizeRule = ResizeRule.SQUASH
    binarise_at: int | None = None
    shares: Shares = field(default_factory=Shares)
    folds: int = 0
    seed: int = 0
    resplit: bool = False
    overlap: Overlap = Overlap.REFUSE
    metadata: tuple[Path, ...] = ()
    group_by: tuple[str, ...] = ()
    page: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        if self.folds == 1 or self.folds < 0:
            raise UsageError(f"{self.folds} folds make no cross-validation", hint="use --folds 5, or leave it out")


@dataclass(frozen=True)
class PrepareSummary:
    """What came of it.

    Attributes:
        store: Where the store is.
        samples: Every pair that was kept.
        findings: All that the audit found.
        fingerprint: Sizes, lesion fractions, colours and skin tones of the whole, in JSON's forms.
        digest: Digest of the samples and their splits.
    """

    store: Path
    samples: list[Sample]
    findings: list[Finding]
    fingerprint: dict[str, Any]
    digest: str

    @property
    def left_out(self) -> list[Failure]:
        """Every file that could not be used, and why; in words that can be shown anywhere."""
        return [
            Failure(Path(escape_undecodable(str(finding.path))), escape_undecodable(finding.detail))
            for finding in self.findings
            if finding.kind.is_failure
        ]


def prepare(
    sources: list[Source], out: Path, options: PrepareOptions, progress: Progress | None = None
) -> PrepareSummary:
    """Make a store from pictures with masks.

    A run that was killed, or that a gate stopped, leaves what is done beside `out`; the same sources and geometry go on
    with it.

    Args:
        sources: Where the pairs are; a picture may stand in several, its id keeps the copies in one split.
        out: The store's directory, which appears whole or not at all.
        options: How.
        progress: Who listens.

    Raises:
        UsageError: The sources or the options make no sense, or there are too few pictures for the split.
        BadFile: A table cannot be read.
        LesionctlError: `out` exists already, or no pair can be used.
        GateError: Official splits overlap.
        Interrupted: A signal asked to stop; what is done is kept.
    """
    progress = progress or Silent()
    holds_something = out.is_file() or (out.is_dir() and any(out.iterdir()))
    if holds_something and options.overwrite and not (out / "store.json").is_file():
        raise UsageError(f"{out} holds something other than a prepared set", hint="choose another name")
    listing = list_records(sources, options.metadata, options.group_by)
    if not listing.records:
        raise LesionctlError(
            f"no picture in {', '.join(source.name for source in sources)} has a mask of the same name",
            hint="ISIC_1.jpg belongs to ISIC_1_segmentation.png, ISIC_1_mask.png or ISIC_1.png",
        )

    names = ", ".join(source.name for source in sources)
    progress.detail(f"{len(listing.records):,} pairs in {names}, read by threads: {available_cpus()}")
    with resumable_directory(out, overwrite=options.overwrite) as directory:
        writer, journal = _audit(directory, listing.records, options, progress)
        usable, examined = _join(listing.records, journal)
        findings = listing.findings + [entry for entry in journal.entries if isinstance(entry, Finding)]
        if not usable:
            raise LesionctlError(
                f"none of the {len(listing.records)} pairs can be used; the first: {findings[0].detail}"
            )

        likeness = find_likeness(usable, examined, writer.images(), progress)
        findings += likeness.findings
        for record, found in zip(usable, examined, strict=True):
            findings += findings_of(record, found)

        keep, samples, dropped = _split(usable, examined, likeness.keys, options)
        findings += dropped
        journal.remove()  # from here on the rows are no longer those that it speaks of
        writer.keep_rows(keep)
        examined = [examined[row] for row in keep]
        info = writer.describe(samples, options.seed, options.folds)
        appearances = [found.appearance for found in examined]
        fingerprint = summarise(samples, appearances)
        write_text(directory / "fingerprint.csv", format_fingerprints(samples, appearances))
        write_text(directory / "fingerprint.json", json.dumps(fingerprint, indent=2) + "\n")
        write_text(directory / "audit.csv", format_findings(findings))
        if options.page:
            write_page(directory / "audit.html", out.name, findings, samples, writer.images(), writer.masks())
    return PrepareSummary(out, samples, findings, fingerprint, info.digest)


def _audit(
    directory: Path, records: list[Record], options: PrepareOptions, progress: Progress
) -> tuple[StoreWriter, Journal]:
    """Read every pair once; returns the filled store, closed, and the journal of what was found."""
    work = identify_work(records, options.size, options.resize, options.binarise_at)
    journal = Journal(directory, work)
    try:
        writer = StoreWriter(directory, options.size, options.resize, len(journal.examinations))
    except (BadFile, FileNotFoundError):  # the rows that the journal speaks of were lost
        journal.begin_anew()
        writer = StoreWriter(directory, options.size, options.resize)
    done = len(journal.entries)
    if done:
        progress.say(f"going on after {done} of {len(records)} pairs")
    audited = parallel_map(
        lambda record: audit_pair(record, options.size, options.resize, options.binarise_at), records[done:]
    )
    try:
        with listen_for_stop() as stop:
            for number, result in enumerate(track(progress, audited, "preparing", len(records) - done), start=1):
                if isinstance(result, AuditedPair):
                    writer.append(result.image, result.mask, result.native_mask)
                    journal.add(result.examination)
                else:
                    journal.add(result)
                if number % _CHECKPOINT_EVERY == 0:
                    writer.flush()
                    journal.checkpoint()
                if stop:
                    raise Interrupted(
                        f"stopped by {stop.signal} after {done + number} of {len(records)} pairs; what is done is kept",
                        hint="run the same command again to go on",
                    )
    finally:  # the rows first: a line of the journal must never be without its row
        writer.close()
        journal.close()
    return writer, journal


def _join(records: list[Record], journal: Journal) -> tuple[list[Record], list[Examination]]:
    """The records that can be used, and what was found in each."""
    both = [
        (record, entry)
        for record, entry in zip(records, journal.entries, strict=True)
        if isinstance(entry, Examination)
    ]
    return [record for record, _ in both], [entry for _, entry in both]


def _split(
    records: list[Record], examined: list[Examination], keys: list[set[str]], options: PrepareOptions
) -> tuple[list[int], list[Sample], list[Finding]]:
    """Group and split; returns the rows to keep, their samples, and the pictures left out for an overlap."""
    names = group_by_shared_keys(keys)
    groups = form_groups(names, [found.lesion_fraction for found in examined], [record.diagnosis for record in records])
    official = [None if options.resplit else record.split for record in records]
    left_out = settle_overlap(groups, official, [record.source for record in records], options.overlap)
    for row, split in left_out.items():
        official[row] = split  # for the group's sake; the picture itself is not kept
    for group in groups:
        group.rows = [row for row in group.rows if row not in left_out]
    splits = split_groups(groups, official, options.shares, options.seed)

    folds: dict[str, int] = {}
    if options.folds:
        in_folds = [group for group in groups if splits[group.name] is not Split.TEST]
        folds = deal(in_folds, dict.fromkeys(range(options.folds), 1.0), options.seed)
        splits |= {name: Split.TRAIN if fold else Split.VALIDATION for name, fold in folds.items()}

    keep = [row for row in range(len(records)) if row not in left_out]
    samples = [
        Sample(
            id=records[row].id,
            source=records[row].source,
            group=names[row],
            split=splits[names[row]],
            fold=folds.get(names[row]),
            keys=tuple(sorted(keys[row])),
            diagnosis=records[row].diagnosis,
            image=records[row].image.resolve(),
            mask=records[row].mask.resolve(),
            height=examined[row].height,
            width=examined[row].width,
            lesion_fraction=examined[row].lesion_fraction,
            sha256=examined[row].sha256,
            mask_sha256=examined[row].mask_sha256,
        )
        for row in keep
    ]
    dropped = [
        Finding(
            Kind.OVERLAP,
            records[row].source,
            records[row].id,
            records[row].image,
            f"meant for {records[row].split}, but its group {names[row]} stays in {split}",
        )
        for row, split in left_out.items()
    ]
    return keep, samples, dropped
