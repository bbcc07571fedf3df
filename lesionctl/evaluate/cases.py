"""What is scored against: pictures with their truth, from a prepared set or from a folder of masks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from lesionctl.dataset.marks import Made, mark_of
from lesionctl.dataset.pairs import image_id, list_images, mask_id
from lesionctl.errors import BadFile, LesionctlError, UsageError
from lesionctl.evaluate.facts import AUTOMATIC, DIAGNOSIS, SKIN_TONE, SOURCE, skin_tones_of_store
from lesionctl.evaluate.gaps import Gap
from lesionctl.evaluate.metadata import read_columns, spell_id
from lesionctl.imaging.masks import examine_mask
from lesionctl.scoring.figures import resolve_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from lesionctl.dataset.samples import Sample, Split
    from lesionctl.dataset.store import Store
    from lesionctl.errors import Failure
    from lesionctl.imaging.arrays import Mask

BEFORE_FACTS = ("prediction", "id", "source", "group", "seen", "failed")
COUNTS = ("tp", "fp", "fn", "tn")
"""What a row of a picture holds beside facts and figures: before them, and between them."""


@dataclass(frozen=True)
class Case:
    """One picture with its truth.

    Attributes:
        id: Its id.
        source: The set or folder that it came from.
        group: What it belongs to: a lesion, a patient, or itself alone.
        image: The picture file; None where there are masks only.
        truth: The mask file, for messages.
        read_truth: Reads the true mask, bool `[H, W]`, with what a person should know of its file; raises `BadFile`.
        facts: What is known of it before anything is scored, by column, such as its diagnosis.
        sample: Its row in the prepared set; None in a folder.
    """

    id: str
    source: str
    group: str
    image: Path | None
    truth: Path
    read_truth: Callable[[], tuple[Mask, str | None]] = field(repr=False)
    facts: Mapping[str, str] = field(default_factory=dict)
    sample: Sample | None = None


@dataclass(frozen=True)
class Cases:
    """The pictures of an evaluation.

    Attributes:
        title: What they are, for people: such as `isic.store, test split`.
        items: In the order in which they are scored.
        store: The prepared set that they come from; None: a folder of masks.
        split: Which split of it.
        fold: Of which fold.
        facts: What is known of each item, by column; after scoring with what only its mask can tell, such as how large
            the lesion is.
        gaps: What is not known of some of them.
        left_out: After scoring, true masks that could not be used: their pictures are not among the items.
        remarks: After scoring, true masks that were used and about which a person should know something.
    """

    title: str
    items: list[Case]
    store: Store | None = None
    split: Split | None = None
    fold: int | None = None
    facts: list[dict[str, str]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    left_out: list[Failure] = field(default_factory=list)
    remarks: list[Failure] = field(default_factory=list)


def cases_of_store(
    store: Store, split: Split, fold: int | None = None, *, metadata: Sequence[Path] = (), by: Sequence[str] = ()
) -> Cases:
    """The pictures of a split, with the masks that `prepare` checked.

    Args:
        store: The prepared set.
        split: Which of its splits.
        fold: Which fold's splits; None takes the splits as they stand.
        metadata: Tables that say more of the pictures, by their ids.
        by: The columns of these tables that are wanted.

    Raises:
        UsageError: The set has no such fold or split, no table has such a column, or a table is of other pictures.
        BadFile: A table is damaged.
    """
    if fold is not None:
        store = store.at_fold(fold)
    title = f"{store.path}, {split} split" + ("" if fold is None else f" of fold {fold}")
    rows = store.rows(split).tolist()
    if not rows:
        raise UsageError(f"{store.path} has no {split} split", hint="prepare it with --split 70/10/20")
    tones = skin_tones_of_store(store)
    columns, gaps = read_columns(metadata, by, [store.samples[row].id for row in rows])

    def case(row: int) -> Case:
        sample = store.samples[row]
        known = {SOURCE: sample.source, DIAGNOSIS: sample.diagnosis}
        if tones:
            known[SKIN_TONE] = tones.get((sample.source, sample.id), "")
        return Case(
            id=sample.id,
            source=sample.source,
            group=sample.group,
            image=sample.image,
            truth=sample.mask,
            read_truth=partial(_read_native_mask, store, row),
            facts=known | _facts_of(columns.get(spell_id(sample.id), {}), by),
            sample=sample,
        )

    return Cases(title, [case(row) for row in rows], store, split, fold, gaps=gaps)


def cases_of_folder(
    truths: Path,
    *,
    images: Path | None = None,
    metadata: Sequence[Path] = (),
    by: Sequence[str] = (),
    group_by: str | None = None,
) -> Cases:
    """The pictures of a folder of true masks.

    Args:
        truths: The masks; `X_segmentation.png`, `X_mask.png` and `X.png` all belong to the id X.
        images: The pictures, for a look at them; X.jpg belongs to the id X.
        metadata: Tables that say more of the pictures, by their ids.
        by: The columns of these tables that are wanted.
        group_by: The column whose equal values make pictures belong together; without, each stands alone.

    Raises:
        UsageError: A folder is missing or empty, two masks have the same id, no table has a column, or a table is of
            other pictures.
        BadFile: A table is damaged.
    """
    masks = masks_by_id(truths)
    pictures = {} if images is None else {spell_id(image_id(path)): path for path in list_images(images)}
    wanted = list(dict.fromkeys([*by, *([group_by] if group_by else [])]))
    columns, gaps = read_columns(metadata, wanted, sorted(masks))
    without = sum(name not in pictures for name in masks)
    if images is not None and without:
        gaps.append(Gap(without, len(masks), f"without a picture in {images}"))

    def case(name: str, mask: Path) -> Case:
        known = columns.get(name, {})
        group = known.get(group_by, "") if group_by else ""
        return Case(
            id=name,
            source=truths.name,
            group=f"{group_by}={group}" if group else f"id={name}",
            image=pictures.get(name),
            truth=mask,
            read_truth=partial(examine_mask, mask),
            facts=_facts_of(known, by),
        )

    return Cases(str(truths), [case(name, masks[name]) for name in sorted(masks)], gaps=gaps)


def _facts_of(known: Mapping[str, str], by: Sequence[str]) -> dict[str, str]:
    """What a table says of a picture, under names that nothing else has that is known of it."""
    return {f"{column} (metadata)" if _is_taken(column) else column: known.get(column, "") for column in by}


def _is_taken(column: str) -> bool:
    try:
        return column in (*AUTOMATIC, *BEFORE_FACTS, *COUNTS) or resolve_name(column) == column
    except ValueError:  # no figure is called that
        return False


def masks_by_id(folder: Path) -> dict[str, Path]:
    """The mask files of a folder, by the ids of their pictures in their one spelling.

    What this program laid beside masks, such as overlays, is left out.

    Raises:
        UsageError: It is missing, holds no mask, or two of its masks have the same id.
    """
    paths = [path for path in list_images(folder) if mark_of(path) in {None, Made.MASK}]
    if not paths:
        raise UsageError(f"{folder} holds no masks")
    ids = [spell_id(mask_id(path)) for path in paths]
    name, times = Counter(ids).most_common(1)[0]
    if times > 1:
        raise UsageError(f"{folder} holds {times} masks of '{name}'", hint="keep one of them")
    return dict(zip(ids, paths, strict=True))


def _read_native_mask(store: Store, row: int) -> tuple[Mask, None]:
    sample = store.samples[row]
    try:
        return store.native_masks.read(row, sample.height, sample.width), None
    except BadFile as error:  # not one input among many: the set itself is damaged
        raise LesionctlError(error.what, error.hint) from error
