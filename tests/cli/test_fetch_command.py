"""`lesionctl fetch` without a server: the listing, the demo, options and errors."""

from __future__ import annotations

import json

import pytest

TABLE = """
 isic2016        900 / – / 379     842 MB    1.6 GB                      CC0-1.0        –
 isic2017     2000 / 150 / 600    12.1 GB   24.2 GB                      CC0-1.0        –
 isic2018    2594 / 100 / 1000    12.9 GB   25.7 GB   CC0-1.0, some CC-BY-NC-4.0        –
 ham10000                10015          ?         ?                 CC-BY-NC-4.0        –
 ph2                       200     405 MB    810 MB                research only        –
 demo                      any          –         –                          MIT        –
"""


@pytest.fixture
def fetch(lesionctl, tmp_path):
    """Run `lesionctl fetch` with a cache of the test's own."""

    def run(*arguments, offline=False, **variables):
        words = ["--offline"] if offline else []
        return lesionctl(*words, "fetch", *arguments, LESIONCTL_CACHE_DIR=str(tmp_path / "cache"), **variables)

    return run


def words(text):
    return [line.split() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("arguments", [(), ("--list",), ("--list", "isic2018")])
def test_listing_shows_splits_sizes_licence_and_what_is_cached(fetch, arguments):
    done = fetch(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    _, heading, _, *rows = words(done.stdout)
    assert heading == ["name", "train", "/", "val", "/", "test", "download", "on", "disk", "licence", "cached"]
    assert rows == words(TABLE)


def test_listing_for_programs_has_every_file(fetch):
    sets = json.loads(fetch("--list", "--json").stdout)
    assert [entry["name"] for entry in sets] == ["isic2016", "isic2017", "isic2018", "ham10000", "ph2", "demo"]
    isic2018 = sets[2]
    assert isic2018["pictures"] == {"train": 2594, "val": 100, "test": 1000}
    assert (isic2018["directory"], isic2018["cached"]) == (None, {})
    assert "arXiv:1902.03368" in isic2018["citation"]
    assert isic2018["files"][1] == {
        "name": "ISIC2018_Task1_Training_GroundTruth.zip",
        "part": "train",
        "holds": ["masks"],
        "size": 27402895,
        "size_is_exact": True,
        "md5": "ee5e5db7771d48fa2613abc7cb5c24e2",
        "sha256": "99f8b2bb3c4d6af483362010715f7e7d5d122d9f6c02cac0e0d15bef77c7604c",
        "addresses": [
            "https://isic-archive.s3.amazonaws.com/challenges/2018/ISIC2018_Task1_Training_GroundTruth.zip",
            "https://isic-challenge-data.s3.amazonaws.com/2018/ISIC2018_Task1_Training_GroundTruth.zip",
        ],
        "cached": False,
    }


def test_the_quick_start_of_the_readme(fetch, tmp_path):
    done = fetch("demo", "--to", "demo", "--count", "2")
    assert (done.returncode, done.stdout) == (0, "demo\n")
    assert "licence: MIT" in done.stderr
    assert len(list((tmp_path / "demo" / "images").iterdir())) == 2
    assert not (tmp_path / "cache").exists()


def test_the_demo_goes_into_the_cache_and_is_listed_there(fetch, tmp_path):
    done = fetch("demo", "--count", "1", "--json")
    assert done.returncode == 0
    (found,) = json.loads(done.stdout)
    assert (found["name"], found["path"], found["pictures"]) == ("demo", f"{tmp_path}/cache/sets/demo", 1)
    assert words(fetch().stdout)[-1] == ["demo", "any", "–", "–", "MIT", "unpacked"]


@pytest.mark.parametrize(
    ("arguments", "code", "what", "hint"),
    [
        (("isic2081",), 2, "there is no set named 'isic2081'", "did you mean 'isic2018'?"),
        (("isic2018:dev",), 2, "isic2018 has no part 'dev'", "its parts are train, val, test"),
        (("isic2016", "ph2", "--to", "x"), 2, "--to takes one set", "one by one"),
        (("ph2", "--from", "nowhere.rar"), 2, "there is no file or folder nowhere.rar", None),
        (("ph2", "--catalog", "nowhere.toml"), 1, "nowhere.toml: cannot be read", None),
        (("ph2",), 1, "PH2.zip: is not in the cache, and with --offline nothing is downloaded", "--from"),
        (("isic2016:test",), 1, "nothing could be fetched:\n  ISBI2016_ISIC_Part1_Test_Data.zip: is not", "--from"),
    ],
)
def test_errors_say_what_to_do(fetch, arguments, code, what, hint):
    done = fetch(*arguments, offline=True)
    assert (done.returncode, done.stdout) == (code, "")
    assert f"error: {what}" in done.stderr
    assert hint is None or hint in done.stderr
    assert "Traceback" not in done.stderr


def test_paths_from_a_variable(fetch, tmp_path):
    (tmp_path / "a.zip").write_bytes(b"")
    done = fetch("ph2", LESIONCTL_FETCH_FROM="a.zip")
    assert done.returncode == 1
    assert "a.zip" in done.stderr
