"""Shares of the pictures: whole, without overlap, and the same in every run."""

from __future__ import annotations

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


def test_an_array_with_gaps_is_refused():
    with pytest.raises(UsageError, match="have gaps"):
        shard_of_array(array(7, 1, 9, 3))  # --array=1,7,9


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
