"""Groups stay whole, the draw depends on seed and names alone, and shares are met as far as groups allow."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionctl.dataset.samples import Split
from lesionctl.errors import UsageError
from lesionctl.prepare.split import Shares, group_by_shared_keys, split_groups

TRAIN, VALIDATION, TEST = Split

group_lists = st.lists(st.sampled_from([f"g{n}" for n in range(40)]), min_size=3, max_size=200)
seeds = st.integers(0, 1000)


def enough(groups):
    return len(set(groups)) >= 3


@pytest.mark.parametrize(
    ("text", "expected"), [("70/10/20", (70, 10, 20)), ("100/0/0", (100, 0, 0)), ("80/20/0", (80, 20, 0))]
)
def test_shares_are_read(text, expected):
    shares = Shares.parse(text)
    assert (shares.train, shares.validation, shares.test) == expected


@pytest.mark.parametrize(
    "text", ["", "70/30", "70/10/10/10", "70/10/21", "0/50/50", "-10/60/50", "a/b/c", "70.5/9.5/20"]
)
def test_other_shares_are_refused(text):
    with pytest.raises(UsageError, match="the split"):
        Shares.parse(text)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([{"a"}, {"b"}, {"c"}], ["a", "b", "c"]),
        ([{"a", "x"}, {"b", "x"}, {"c"}], ["a", "a", "c"]),
        ([{"a", "lesion=1"}, {"b", "lesion=1", "patient=2"}, {"c", "patient=2"}], ["a", "a", "a"]),  # a-b-c
        ([{"c", "patient=2"}, {"d"}, {"b", "lesion=1", "patient=2"}, {"a", "lesion=1"}], ["a", "d", "a", "a"]),
        ([{"a"}, {"a"}], ["a", "a"]),
        ([], []),
    ],
)
def test_samples_that_share_a_key_directly_or_through_others_are_one_group(keys, expected):
    assert group_by_shared_keys(keys) == expected


@given(st.lists(st.sets(st.sampled_from("abcdefghijkl"), min_size=1, max_size=3), max_size=25), st.randoms())
def test_groups_are_the_finest_that_keep_keys_together(keys, random):
    groups = group_by_shared_keys(keys)
    groups_of_key = defaultdict(set)
    for own, group in zip(keys, groups, strict=True):
        for key in own:
            groups_of_key[key].add(group)
        assert group in {key for other, name in zip(keys, groups, strict=True) if name == group for key in other}
    assert all(len(names) == 1 for names in groups_of_key.values())

    # Finest: joining by hand, one sample at a time, ends with as many groups.
    joined = []
    for own in keys:
        touching = [keys_of_group for keys_of_group in joined if keys_of_group & own]
        joined = [keys_of_group for keys_of_group in joined if not keys_of_group & own] + [own.union(*touching)]
    assert len(set(groups)) == len(joined)

    order = list(range(len(keys)))
    random.shuffle(order)
    shuffled = group_by_shared_keys([keys[n] for n in order])
    assert shuffled == [groups[n] for n in order]


@given(group_lists.filter(enough), seeds)
def test_no_group_stands_on_two_sides(groups, seed):
    splits = split_groups(groups, Shares(), seed)
    sides = defaultdict(set)
    for group, split in zip(groups, splits, strict=True):
        sides[group].add(split)
    assert all(len(of_group) == 1 for of_group in sides.values())
    assert set(splits) == {TRAIN, VALIDATION, TEST}


@given(group_lists.filter(enough), seeds, st.randoms())
def test_draw_is_repeatable_and_does_not_depend_on_the_order_of_samples(groups, seed, random):
    side = dict(zip(groups, split_groups(groups, Shares(), seed), strict=True))
    shuffled = random.sample(groups, len(groups))
    assert split_groups(groups, Shares(), seed) == [side[group] for group in groups]
    assert split_groups(shuffled, Shares(), seed) == [side[group] for group in shuffled]


@given(group_lists.filter(enough), seeds)
def test_test_and_validation_exceed_their_share_by_less_than_a_group(groups, seed):
    splits = Counter(split_groups(groups, Shares(60, 20, 20), seed))
    largest = max(Counter(groups).values())
    for split in (VALIDATION, TEST):
        assert 1 <= splits[split] < max(len(groups) * 0.2, 1) + largest


@pytest.mark.parametrize("seed", range(5))
def test_shares_of_single_pictures_are_met(seed):
    splits = split_groups([f"{n}" for n in range(1000)], Shares(70, 10, 20), seed)
    assert Counter(splits) == {TRAIN: 700, VALIDATION: 100, TEST: 200}


def test_other_seed_is_another_draw():
    groups = [f"{n}" for n in range(100)]
    assert split_groups(groups, Shares(), 0) != split_groups(groups, Shares(), 1)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        (Shares(100, 0, 0), {TRAIN: 10}),
        (Shares(80, 20, 0), {TRAIN: 8, VALIDATION: 2}),
        (Shares(50, 0, 50), {TRAIN: 5, TEST: 5}),
    ],
)
def test_split_without_a_share_stays_empty(shares, expected):
    assert Counter(split_groups([f"{n}" for n in range(10)], shares, 0)) == expected


def test_as_few_groups_as_splits_are_enough():
    assert set(split_groups(["a", "b", "c"], Shares(98, 1, 1), 0)) == {TRAIN, VALIDATION, TEST}


def test_fewer_groups_than_splits_are_refused():
    with pytest.raises(UsageError, match="2 groups of pictures cannot fill 3 splits"):
        split_groups(["a", "a", "a", "b"], Shares(), 0)
