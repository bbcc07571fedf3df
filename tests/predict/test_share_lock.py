"""Shares with pictures in common are never worked on at once; others are, side by side."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import combinations
from threading import Barrier, Thread

import pytest

from lesionctl.atomic import unlock_file
from lesionctl.errors import LesionctlError
from lesionctl.predict.shard import Shard
from lesionctl.predict.share_lock import take_share


def take(folder, shard):
    return take_share(folder / f"masks.{shard.number}-of-{shard.of}.jsonl", shard)


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        (Shard(), Shard(2, 3), "the pictures of .*, and this one would do share 2 of 3"),
        (Shard(2, 3), Shard(), "share 2 of 3 of the pictures of .*, and this one would do all"),
        (Shard(1, 2), Shard(2, 3), "share 1 of 2 of the pictures of .*, and this one would do share 2 of 3"),
        (Shard(1, 2), Shard(3, 4), "share 1 of 2 of the pictures of .*, and this one would do share 3 of 4"),
    ],
)
def test_a_share_with_pictures_in_common_is_refused_until_the_other_is_done(tmp_path, one, other, what):
    lock = take(tmp_path, one)
    with pytest.raises(LesionctlError, match=f"another process is working on {what}") as caught:
        take(tmp_path, other)
    assert "same N" in caught.value.hint
    unlock_file(lock)
    unlock_file(take(tmp_path, other))
    assert [path.name for path in tmp_path.iterdir()] == [".door"]


def test_shares_without_a_picture_in_common_go_side_by_side(tmp_path):
    with ExitStack() as held:
        for shard in (Shard(1, 3), Shard(2, 3), Shard(3, 6), Shard(6, 6)):
            held.callback(unlock_file, take(tmp_path, shard))


def test_a_lock_that_a_killed_process_left_holds_nobody_up(tmp_path):
    (tmp_path / ".masks.1-of-2.jsonl.lock").touch()
    unlock_file(take(tmp_path, Shard()))
    assert [path.name for path in tmp_path.iterdir()] == [".door"]


def test_of_those_that_begin_together_none_have_pictures_in_common_and_one_goes_on(tmp_path):
    shards = [Shard(), Shard(1, 2), Shard(2, 2), Shard(1, 3), Shard(2, 3), Shard(1, 4)]
    for _ in range(5):
        barrier, taken = Barrier(len(shards)), {}

        def begin(shard, barrier=barrier, taken=taken):
            barrier.wait()
            try:
                taken[shard] = take(tmp_path, shard)
            except LesionctlError:
                return

        threads = [Thread(target=begin, args=(shard,)) for shard in shards]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert taken
        assert not any(one.overlaps(other) for one, other in combinations(taken, 2))
        for lock in taken.values():
            unlock_file(lock)
