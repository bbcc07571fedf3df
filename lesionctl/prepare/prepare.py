"""The whole of preparing: pair, audit, group, split, store."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lesionctl.atomic import new_directory
from lesionctl.dataset.samples import Sample
from lesionctl.dataset.store import StoreWriter
from lesionctl.errors import Failure, LesionctlError, UsageError
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.prepare.audit import audit_pair
from lesionctl.prepare.sources import Source, read_group_keys
from lesionctl.prepare.split import Shares, group_by_shared_keys, split_groups
from lesionctl.progress import Progress, Silent, track
from lesionctl.runtime.threads import parallel_map

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class PrepareOptions:
    """How to prepare.

    Attributes:
        size: Side of the stored squares, in pixels.
        resize: How pictures become squares.
        shares: How much each split takes.
        seed: Seed of the split.
        metadata: More tables of metadata, beside those that lie with the sources.
        group_by: Columns of the metadata that keep pictures together; lesion_id and patient_id by default.
        overwrite: Replace a store that stands there already.
    """

    size: int = 320
    resize: ResizeRule = ResizeRule.SQUASH
    shares: Shares = field(default_factory=Shares)
    seed: int = 0
    metadata: tuple[Path, ...] = ()
    group_by: tuple[str, ...] = ()
    overwrite: bool = False


@dataclass(frozen=True)
class PrepareSummary:
    """What came of it.

    Attributes:
        store: Where the store is.
        samples: Every pair that was kept.
        left_out: Every file that was not, and why.
        digest: Digest of the samples and their splits.
    """

    store: Path
    samples: list[Sample]
    left_out: list[Failure]
    digest: str


def prepare(
    sources: list[Source], out: Path, options: PrepareOptions, progress: Progress | None = None
) -> PrepareSummary:
    """Make a store from folders of pictures and masks.

    Args:
        sources: Where the pairs are; a picture may stand in several, its id keeps the copies in one split.
        out: The store's directory, which appears whole or not at all.
        options: How.
        progress: Who listens.

    Raises:
        UsageError: A folder is missing, or two sources have the same name.
        LesionctlError: `out` exists already, or no pair can be used.
    """
    progress = progress or Silent()
    if len({source.name for source in sources}) < len(sources):
        raise UsageError("two sources have the same name", hint="rename one of the folders")
    if out.is_dir() and any(out.iterdir()) and options.overwrite and not (out / "store.json").is_file():
        raise UsageError(f"{out} holds something other than a prepared set", hint="choose another name")
    tables = [*options.metadata, *(source.metadata for source in sources if source.metadata)]
    group_keys = read_group_keys(tables, list(options.group_by))

    found = [(source, source.pairs()) for source in sources]
    left_out = [failure for _, pairing in found for failure in pairing.left_out]
    pairs = [(source, pair) for source, pairing in found for pair in pairing.pairs]
    if not pairs:
        raise LesionctlError(
            f"no picture in {', '.join(str(source.images) for source in sources)} has a mask of the same name",
            hint="ISIC_1.jpg belongs to ISIC_1_segmentation.png, ISIC_1_mask.png or ISIC_1.png",
        )

    with new_directory(out, overwrite=options.overwrite) as directory:
        writer = StoreWriter(directory, options.size, options.resize)
        audited = parallel_map(
            lambda item: audit_pair(item[0].name, item[1], options.size, options.resize),
            pairs,
        )
        samples, keys = [], []
        for result in track(progress, audited, "preparing", len(pairs)):
            if isinstance(result, Failure):
                left_out.append(result)
                continue
            sample = result.sample
            writer.append(result.image, result.mask)
            samples.append(sample)
            keys.append({sample.group, f"sha256={sample.sha256}"} | group_keys.get(sample.id, set()))
        if not samples:
            raise LesionctlError(f"none of the {len(pairs)} pairs can be used; the first: {left_out[0].reason}")
        groups = group_by_shared_keys(keys)
        splits = split_groups(groups, options.shares, options.seed)
        samples = [
            replace(sample, group=group, split=split)
            for sample, group, split in zip(samples, groups, splits, strict=True)
        ]
        info = writer.finish(samples, options.seed)
    return PrepareSummary(out, samples, left_out, info.digest)
