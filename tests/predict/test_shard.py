"""Shares of the pictures: whole, without overlap, and the same in every run."""

from __future__ import annotations

from contextlib import suppress
from itertools import combinations
from pathlib import Path

import pytest

from lesionctl.errors import UsageError
from lesionctl.predict.shard import Shard, shard_of_array

PLACES = [Path(f"ward {number % 3}/scan {number}.jpg") for number in range(600)]


def test_each_picture_is_in_one_share_and_shares_are_about_equal():
    shards = [Shard(number, 4) for number in (1, 2, 3, 4)]
    assert all(sum(shard.holds(place) for shard in shards) == 1 for place in PLACES)
    sizes = [sum(map(shard.holds, PLACES)) for shard in shards]
    assert min(sizes) > 120  # of 150
    assert max(sizes) < 180


def test_a_picture_stays_in_its_share():
    # BLAKE2b of 8 bytes: 0xfe47f0026e12a789 and 0xcae7e05fd816559e: the remainders by 4 are 1 and 2
    assert [Shard(2, 4).holds(Path(name)) for name in ("a.jpg", "deep/b.png")] == [True, False]
    assert [Shard(3, 4).holds(Path(name)) for name in ("a.jpg", "deep/b.png")] == [False, True]
    assert all(Shard().holds(place) for place in PLACES)


def test_a_name_from_the_file_system_that_is_no_text_has_a_share():
    odd = Path("scan \udcff.jpg")
    assert Shard(1, 2).holds(odd) != Shard(2, 2).holds(odd)


@pytest.mark.parametrize("text", ["0/4", "5/4", "4", "a/b", "1/0", "-1/4", ""])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(UsageError, match="is no share"):
        Shard.parse(text)


def test_files_about_all_pictures_are_named_by_the_share():
    assert Shard.parse("3/8").name(Path("out/rows.csv")) == Path("out/rows.3-of-8.csv")
    assert Shard().name(Path("rows.csv")) == Path("rows.csv")


def array(task, first, last, count):
    names = ("TASK_ID", "TASK_MIN", "TASK_MAX", "TASK_COUNT")
    return {f"SLURM_ARRAY_{name}": str(value) for name, value in zip(names, (task, first, last, count), strict=True)}


@pytest.mark.parametrize(
    ("environ", "shard"),
    [
        ({}, (1, 1)),
        (array(0, 0, 7, 8), (1, 8)),  # --array=0-7
        (array(8, 1, 8, 8), (8, 8)),  # --array=1-8
        (array(20, 10, 30, 3), (2, 3)),  # --array=10-30:10
        (array(5, 5, 5, 1), (1, 1)),
    ],
)
def test_a_task_of_a_job_array_takes_its_share(environ, shard):
    assert shard_of_array(environ) == shard


def stepped(task, first, last, count, step):
    return array(task, first, last, count) | {"SLURM_ARRAY_TASK_STEP": str(step)}


@pytest.mark.parametrize(
    ("environ", "shard"),
    [
        (stepped(8, 0, 14, 8, 2), (5, 8)),  # --array=0-14:2
        (stepped(8, 0, 15, 8, 2), (5, 8)),  # --array=0-15:2
        (stepped(15, 0, 15, 16, 1), (16, 16)),  # --array=0-15%4
        (stepped(7, 3, 7, 2, 4), (2, 2)),  # --array=3,7
        (array(7, 3, 7, 2), (2, 2)),
    ],
)
def test_steps_and_limits_of_an_array_leave_no_gap(environ, shard):
    assert shard_of_array(environ) == shard


@pytest.mark.parametrize("environ", [array(7, 1, 9, 3), array(3, 3, 8, 3), stepped(1, 1, 9, 3, 6)])
def test_an_array_with_gaps_is_refused(environ):  # --array=1,7,9 and --array=3,7,8
    with pytest.raises(UsageError, match="have gaps: it has 3 from") as caught:
        shard_of_array(environ)
    assert "--shard I/N" in caught.value.hint


def test_whatever_the_numbers_the_tasks_of_an_array_have_all_shares_or_one_of_them_says_that_it_has_none():
    lists = [tasks for size in range(1, 6) for tasks in combinations(range(9), size)]
    whole = 0
    for tasks in lists:
        for step in (None, 1, 2, tasks[1] - tasks[0] if len(tasks) > 1 else 1):
            found = []
            for task in tasks:
                numbers = (task, tasks[0], tasks[-1], len(tasks))
                with suppress(UsageError):
                    found.append(shard_of_array(array(*numbers) if step is None else stepped(*numbers, step)))
            if len(found) == len(tasks):
                whole += 1
                assert sorted(found) == [(number, len(tasks)) for number in range(1, len(tasks) + 1)]
    assert whole > 100


def test_a_task_whose_array_cannot_be_told_is_no_run_of_all():
    with pytest.raises(UsageError, match="SLURM_ARRAY_TASK_MIN is '', no number"):
        shard_of_array({"SLURM_ARRAY_TASK_ID": "3"})


def test_shares_overlap_where_a_picture_may_belong_to_both():
    shares = [Shard(number, of) for of in range(1, 7) for number in range(1, of + 1)]
    held = {share: {place for place in PLACES if share.holds(place)} for share in shares}
    for one in shares:
        for other in shares:
            assert one.overlaps(other) == bool(held[one] & held[other]), (one, other)


@pytest.mark.parametrize(
    ("name", "value"), [("TASK_ID", "x"), ("TASK_MIN", ""), ("TASK_MAX", "-7"), ("TASK_COUNT", "²")]
)
def test_numbers_of_an_array_that_are_none_are_refused_by_name(name, value):
    environ = array(1, 0, 7, 8) | {f"SLURM_ARRAY_{name}": value}
    with pytest.raises(UsageError, match=f"SLURM_ARRAY_{name} is '{value}', no number"):
        shard_of_array(environ)


@pytest.mark.parametrize("numbers", [(9, 0, 7, 8), (1, 7, 0, 8), (1, 0, 7, 0), (0, 1, 8, 8)])
def test_numbers_of_an_array_that_contradict_one_another_are_refused(numbers):
    with pytest.raises(UsageError, match="have gaps"):
        shard_of_array(array(*numbers))


def test_processes_of_torchrun_take_shares_of_the_share():
    environ = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
    assert Shard().of_process(environ) == (2, 2)
    assert Shard(2, 3).of_process(environ) == (4, 6)
    assert Shard(2, 3).of_process({}) == (2, 3)
