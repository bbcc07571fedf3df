"""Groups: what shares a key, directly or through others, and nothing more."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionctl.prepare.groups import group_by_shared_keys


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
    assert group_by_shared_keys([keys[n] for n in order]) == [groups[n] for n in order]
