"""Splits that sets bring with them: kept, completed, and never two in one group."""

from __future__ import annotations

from collections import Counter

import pytest

from lesionctl.dataset.samples import Split
from lesionctl.errors import ExitCode, GateError, UsageError
from lesionctl.prepare.official import Overlap, settle_overlap, split_groups
from lesionctl.prepare.split import Group, Shares

TRAIN, VALIDATION, TEST = Split


def grouped(*rows):
    """Groups of these rows, all of one stratum."""
    return [Group(f"g{number:03}", list(own), (0, "")) for number, own in enumerate(rows)]


def settle(groups, official, overlap=Overlap.REFUSE, sources=None):
    return settle_overlap(groups, official, sources or ["set"] * len(official), overlap)


def test_groups_of_one_official_split_are_no_overlap():
    groups = grouped([0, 1], [2, 3], [4])
    for overlap in Overlap:
        assert settle(groups, [TRAIN, None, TEST, TEST, None], overlap) == {}


@pytest.mark.parametrize(
    ("official", "for_test", "for_train"),
    [
        ([TRAIN, TEST], {0: TEST}, {1: TRAIN}),
        ([TRAIN, VALIDATION], {0: VALIDATION}, {1: TRAIN}),
        ([VALIDATION, TEST], {0: TEST}, {1: VALIDATION}),
        ([TRAIN, VALIDATION, TEST, TEST], {0: TEST, 1: TEST}, {1: TRAIN, 2: TRAIN, 3: TRAIN}),
        ([TRAIN, None, TEST], {0: TEST}, {2: TRAIN}),  # what is meant for nothing goes with the group
    ],
)
def test_overlap_leaves_out_the_side_that_gives_way(official, for_test, for_train):
    groups = grouped(range(len(official)))
    assert settle(groups, official, Overlap.TEST) == for_test
    assert settle(groups, official, Overlap.TRAIN) == for_train


def test_overlap_is_refused_with_how_many_of_which_stand_where():
    # Four pictures of old's test in new's train: one that is there once, one twice, two that are one there; and one of
    # new's val in its own train.
    groups = grouped([0, 1], [2, 3, 4], [5, 6], [7], [8, 9, 10])
    official = [TRAIN, TEST, TRAIN, TRAIN, TEST, TRAIN, VALIDATION, TEST, TEST, TEST, TRAIN]
    sources = ["new", "old", "new", "new", "old", "new", "new", "old", "old", "old", "new"]
    with pytest.raises(GateError) as caught:
        settle(groups, official, sources=sources)
    assert caught.value.exit_code is ExitCode.GATE_FAILED
    assert caught.value.what.splitlines() == [
        "the official splits overlap, by the same id, file, lesion or patient, or by their looks:",
        "  pictures of new val that stand in new train too: 1",
        "  pictures of old test that stand in new train too: 4",
    ]
    assert "--overlap test" in caught.value.hint
    assert "--resplit" in caught.value.hint


def test_official_splits_are_kept_whatever_the_seed():
    official = [TRAIN] * 20 + [VALIDATION] * 3 + [TEST] * 5
    groups = grouped(*([row] for row in range(28)))
    for seed in range(3):
        splits = split_groups(groups, official, Shares(), seed)
        assert [splits[group.name] for group in groups] == official


def test_pictures_without_a_split_go_where_their_group_is_meant_to_be():
    splits = split_groups(grouped([0, 1], [2, 3], [4, 5]), [None, TEST, TRAIN, None, None, VALIDATION], Shares(), 0)
    assert list(splits.values()) == [TEST, TRAIN, VALIDATION]


def test_split_that_no_set_brings_is_dealt_out_of_training():
    official = [TRAIN] * 80 + [TEST] * 20
    splits = split_groups(grouped(*([row] for row in range(100))), official, Shares(70, 10, 20), 0)
    # Of the 80, 10 in 70 + 10.
    assert Counter(splits.values()) == {TRAIN: 70, VALIDATION: 10, TEST: 20}
    assert {name for name, split in splits.items() if split is TEST} == {f"g{row:03}" for row in range(80, 100)}


def test_split_without_a_share_is_not_dealt_out_of_training():
    official = [TRAIN] * 8 + [TEST] * 2
    splits = split_groups(grouped(*([row] for row in range(10))), official, Shares(80, 0, 20), 0)
    assert Counter(splits.values()) == {TRAIN: 8, TEST: 2}


def test_only_a_test_set_stays_one():
    assert set(split_groups(grouped([0], [1], [2]), [TEST] * 3, Shares(), 0).values()) == {TEST}


def test_sets_without_splits_are_dealt_beside_official_ones():
    official = [TRAIN] * 10 + [VALIDATION] * 10 + [TEST] * 10 + [None] * 100
    splits = split_groups(grouped(*([row] for row in range(130))), official, Shares(70, 10, 20), 0)
    assert Counter(list(splits.values())[30:]) == {TRAIN: 70, VALIDATION: 10, TEST: 20}


def test_too_few_pictures_to_deal_beside_official_ones_are_trained_on():
    splits = split_groups(grouped([0], [1], [2], [3], [4]), [TRAIN, VALIDATION, TEST, None, None], Shares(), 0)
    assert list(splits.values()) == [TRAIN, VALIDATION, TEST, TRAIN, TRAIN]


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        (Shares(100, 0, 0), {TRAIN: 10}),
        (Shares(80, 20, 0), {TRAIN: 8, VALIDATION: 2}),
        (Shares(50, 0, 50), {TRAIN: 5, TEST: 5}),
    ],
)
def test_split_without_a_share_stays_empty(shares, expected):
    splits = split_groups(grouped(*([row] for row in range(10))), [None] * 10, shares, 0)
    assert Counter(splits.values()) == expected


def test_fewer_groups_than_splits_are_refused():
    with pytest.raises(UsageError, match="2 groups of pictures cannot fill 3 parts"):
        split_groups(grouped([0, 1, 2], [3]), [None] * 4, Shares(), 0)
