"""Splits that sets bring with them, and the gate that keeps them from leaking into each other."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from lesionctl.dataset.samples import Split
from lesionctl.errors import GateError
from lesionctl.prepare.overlap import Overlap
from lesionctl.prepare.split import Shares, deal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.prepare.split import Group


_NEAREST_TEST_FIRST = (Split.TEST, Split.VALIDATION, Split.TRAIN)


def settle_overlap(
    groups: Sequence[Group], official: Sequence[Split | None], sources: Sequence[str], overlap: Overlap
) -> dict[int, Split]:
    """Find what stands on two sides of the official splits, and put each group on one.

    Args:
        groups: All groups.
        official: The split that each sample is meant for, if any.
        sources: The source of each sample.
        overlap: What to do.

    Returns:
        The samples to leave out, each with the split in which its group stays.

    Raises:
        GateError: There is an overlap, and it is to be refused.
    """
    left_out: dict[int, Split] = {}
    pictures: Counter[tuple[str, str]] = Counter()
    order = _NEAREST_TEST_FIRST if overlap is not Overlap.TRAIN else _NEAREST_TEST_FIRST[::-1]
    for group in groups:
        present = {official[row] for row in group.rows} - {None}
        if len(present) < 2:
            continue
        kept = next(split for split in order if split in present)
        losing = [row for row in group.rows if official[row] not in (kept, None)]
        left_out |= dict.fromkeys(losing, kept)
        sides = defaultdict(list)
        for row in group.rows:
            if official[row]:
                sides[f"{sources[row]} {official[row]}", official[row]].append(row)
        for (name, split), rows in sides.items():
            for other, other_split in sides:
                if _NEAREST_TEST_FIRST.index(split) < _NEAREST_TEST_FIRST.index(other_split):
                    pictures[name, other] += len(rows)
    if left_out and overlap is Overlap.REFUSE:
        lines = "\n".join(
            f"  pictures of {name} that stand in {other} too: {count}"
            for (name, other), count in sorted(pictures.items())
        )
        raise GateError(
            f"the official splits overlap, by the same id, file, lesion or patient, or by their looks:\n{lines}",
            hint="--overlap test leaves the doubles out of training, --overlap train leaves them out of the test; "
            "--resplit draws a new split",
        )
    return left_out


def split_groups(
    groups: Sequence[Group], official: Sequence[Split | None], shares: Shares, seed: int
) -> dict[str, Split]:
    """Give every group its split.

    A group with an official picture goes where that is meant to be; the others are dealt by the shares. A split with a
    share that no set brings with it is dealt out of the official training groups.

    Args:
        groups: All groups; none has two official splits.
        official: The split that each sample is meant for, if any.
        shares: How many samples of a hundred go to each split.
        seed: Same seed, same split.

    Returns:
        The split of each group, by name.

    Raises:
        UsageError: There are fewer groups than splits to fill.
    """
    wanted = {split: float(share) for split, share in shares.of_splits().items() if share}
    splits: dict[str, Split] = {}
    for group in groups:
        meant = next((official[row] for row in group.rows if official[row]), None)
        if meant:
            splits[group.name] = meant
    free = [group for group in groups if group.name not in splits]
    if free and (len(free) >= len(wanted) or not splits):
        splits |= deal(free, wanted, seed)
    else:
        splits |= {group.name: Split.TRAIN for group in free}

    brought = {split for split in official if split}
    missing = {split: share for split, share in wanted.items() if split not in brought}
    meant_to_train = [group for group in groups if any(official[row] is Split.TRAIN for row in group.rows)]
    if brought and missing and len(meant_to_train) > len(missing):
        splits |= deal(meant_to_train, {Split.TRAIN: wanted[Split.TRAIN], **missing}, seed)
    return splits
