"""The cache: what was verified is not read again until somebody touches it; a lock; a cache to read from only."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from lesionctl.errors import BadFile, LesionctlError
from lesionctl.fetch.cache import Cache, hold

from .conftest import random_bytes, remote_file

CONTENT = random_bytes(100_000)


@pytest.fixture
def cache(tmp_path):
    (tmp_path / "downloads").mkdir()
    return Cache(tmp_path / "downloads")


@pytest.fixture
def file(cache):
    made = remote_file(CONTENT, "https://a.example/a.zip")
    cache.path(made).write_bytes(CONTENT)
    return made


def test_what_is_not_there_is_not_found(cache):
    assert cache.find(remote_file(CONTENT, name="b.zip")) is None
    assert Cache(cache.directory / "nowhere").find(remote_file(CONTENT)) is None


def test_a_file_is_read_once_and_again_when_it_was_touched(cache, file):
    heard = []
    path, digests = cache.find(file, heard.append)
    assert (path, digests.sha256) == (cache.path(file), file.checksums["sha256"])
    assert sum(heard) == 100_000
    cache.find(file, heard.append)
    assert sum(heard) == 100_000
    os.utime(path, ns=(1, 1))
    cache.find(file, heard.append)
    assert sum(heard) == 200_000


def test_a_record_that_is_damaged_is_made_again(cache, file):
    cache.find(file)
    record = cache.directory / ".a.zip.json"
    record.write_text("{")
    heard = []
    assert cache.find(file, heard.append)
    assert sum(heard) == 100_000
    assert set(json.loads(record.read_text())) == {"size", "md5", "sha256", "mtime_ns"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"size": 99_999}, "it has 100000 bytes, not 99999"),
        ({"checksums": {"md5": "0" * 32}}, f"not {'0' * 32}"),
        ({"checksums": {"sha256": "0" * 64}}, f"not {'0' * 64}"),
    ],
)
def test_a_file_that_is_not_the_catalogs_is_named(cache, file, changes, why):
    cache.find(file)  # remembered as what it is, and not as verified
    with pytest.raises(BadFile, match="is not the file that it should be") as raised:
        cache.find(remote_file(CONTENT, **changes))
    assert why in raised.value.reason


def test_a_published_size_is_no_reason_to_refuse(cache, file):
    assert cache.find(remote_file(CONTENT, size=99_000, exact=False))


def test_a_cache_to_read_from_is_read_from(cache, file, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refuse)
    assert cache.find(file)[1].size == 100_000
    assert list(cache.directory.iterdir()) == [cache.path(file)]


def test_a_cache_that_cannot_be_written_to_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LesionctlError, match="nothing can be written to the cache") as raised:
        Cache(tmp_path / "file" / "downloads").require_writable()
    assert "LESIONCTL_CACHE_DIR" in raised.value.hint


def test_drop_removes_the_file_and_what_is_known_of_it(cache, file):
    cache.find(file)
    cache.drop(file)
    assert list(cache.directory.iterdir()) == []


def test_a_lock_waits_for_the_other_and_tells_once_that_it_does(tmp_path):
    heard, order, held = [], [], threading.Event()

    def other():
        with hold(tmp_path / ".lock", heard.append):
            held.set()
            while not heard:
                held.wait(0.01)
            order.append("other")

    thread = threading.Thread(target=other)
    thread.start()
    held.wait()
    with hold(tmp_path / ".lock", heard.append):
        order.append("this")
    thread.join()
    assert order == ["other", "this"]
    assert heard[0] is True
    assert True not in heard[1:]


def test_waiting_for_a_lock_can_be_stopped(tmp_path):
    def stop(first):
        raise KeyboardInterrupt

    with hold(tmp_path / ".lock", stop), pytest.raises(KeyboardInterrupt), hold(tmp_path / ".lock", stop):
        pass
    with hold(tmp_path / ".lock", stop):  # and leaves it free
        pass
