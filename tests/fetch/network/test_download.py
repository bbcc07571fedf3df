"""A hostile server: the right bytes arrive, or a clear error and nothing under the final name."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from lesionctl.errors import BadFile
from lesionctl.fetch.cache import Cache
from lesionctl.fetch.network.answers import ask_size
from lesionctl.fetch.network.client import open_client
from lesionctl.fetch.network.download import Policy
from lesionctl.progress import Silent

from ..conftest import QUICK, Act, Resource, random_bytes, remote_file

CONTENT = random_bytes(300_000)
OTHER = random_bytes(300_000, seed=1)


class Listener(Silent):
    """Hears what is said."""

    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)


@pytest.fixture
def downloads(tmp_path):
    return tmp_path / "cache" / "downloads"


def assert_arrived(outcome, downloads):
    path, digests = outcome
    assert path == downloads / "a.zip"
    assert path.read_bytes() == CONTENT
    assert digests.size == 300_000
    assert {file.name for file in downloads.iterdir()} == {"a.zip", ".a.zip.json", ".a.zip.lock"}


@pytest.mark.parametrize(
    ("acts", "starts"),
    [
        ([], [None]),
        ([Act(drop_after=100_000)], [None, "rest"]),
        ([Act(drop_after=100_000), Act(drop_after=50_000), Act(drop_after=1)], [None, "rest", "rest", "rest"]),
        ([Act(drop_after=0)], [None, None]),
        ([Act(stall_after=0)], [None, None]),
        ([Act(stall_after=70_000)], [None, "rest"]),
        ([Act(status=500), Act(status=503), Act(status=502)], [None] * 4),
        ([Act(status=429, headers={"Retry-After": "0"})], [None, None]),
        ([Act(drop_after=100_000), Act(status=503)], [None, "rest", "rest"]),
        ([Act(body=CONTENT[:1000], headers={"Content-Length": "300000"})], [None, "rest"]),
        ([Act(drop_after=100_000), Act(status=416)], [None, "rest", None]),
        ([Act(drop_after=100_000), Act(headers={"Content-Range": "bytes 5-299999/300000"})], [None, "rest", None]),
    ],
    ids=[
        "well", "drop", "three drops", "drop at once", "silence", "stall", "5xx", "429", "503 while resuming",
        "ends early", "416", "another range",
    ],
)  # fmt: skip
def test_a_server_that_recovers_gives_the_file(server, download, downloads, acts, starts):
    server.files["/a.zip"] = Resource(CONTENT, acts)
    outcomes = download(remote_file(CONTENT, f"{server.url}/a.zip"))
    assert_arrived(outcomes["a.zip"], downloads)
    assert ["rest" if start else None for start in server.starts("/a.zip")] == starts


def test_what_came_is_not_sent_again(server, download, downloads):
    server.files["/a.zip"] = Resource(CONTENT, [Act(drop_after=100_000), Act(stall_after=100_000)])
    assert_arrived(download(remote_file(CONTENT, f"{server.url}/a.zip"))["a.zip"], downloads)
    first, second, third = server.log
    assert (first.start, first.if_range) == (None, None)
    assert 0 < second.start <= 100_000  # a reset may take bytes with it that were on their way
    assert third.start == second.start + 100_000
    assert second.if_range == third.if_range == '"v1"'
    assert second.status == third.status == 206


def test_a_weak_tag_does_not_vouch_for_a_range_but_the_time_of_the_change_does(server, download, downloads):
    modified = "Sun, 01 Jul 2018 00:00:00 GMT"
    server.files["/a.zip"] = Resource(CONTENT, [Act(drop_after=100_000)], etag='W/"v1"', modified=modified)
    assert_arrived(download(remote_file(CONTENT, f"{server.url}/a.zip"))["a.zip"], downloads)
    assert server.log[1].if_range == modified


def test_without_range_support_the_file_is_loaded_anew(server, download, downloads):
    server.files["/a.zip"] = Resource(CONTENT, [Act(drop_after=200_000)], ranges=False)
    assert_arrived(download(remote_file(CONTENT, f"{server.url}/a.zip"))["a.zip"], downloads)
    assert [request.status for request in server.log] == [200, 200]


def test_a_changed_file_is_loaded_anew(server, download, downloads):
    first = server.files["/a.zip"] = Resource(OTHER, [Act(drop_after=200_000)])
    file = remote_file(CONTENT, f"{server.url}/a.zip")

    class Changing(Listener):
        def say(self, message):  # said between the two attempts
            first.content, first.etag = CONTENT, '"v2"'

    assert_arrived(download(file, progress=Changing())["a.zip"], downloads)
    assert [request.status for request in server.log] == [200, 200]
    assert server.log[1].if_range == '"v1"'


def test_a_changed_file_is_noticed_where_the_server_ignores_if_range(server, download, downloads):
    first = server.files["/a.zip"] = Resource(OTHER, [Act(drop_after=200_000)], modified="v1")
    file = remote_file(CONTENT, f"{server.url}/a.zip", checksums={})

    class Changing(Listener):
        def say(self, message):
            first.content, first.etag, first.modified = CONTENT, '"v2"', '"v1"'

    assert_arrived(download(file, progress=Changing())["a.zip"], downloads)
    assert [request.status for request in server.log] == [200, 206, 200]


def test_pieces_of_two_files_are_thrown_away_and_the_whole_is_loaded_from_the_same_address(server, download, downloads):
    resource = server.files["/a.zip"] = Resource(OTHER, [Act(drop_after=200_000)], etag=None)
    listener = Listener()

    class Changing(Listener):
        def say(self, message):
            listener.say(message)
            resource.content = CONTENT

    assert_arrived(download(remote_file(CONTENT, f"{server.url}/a.zip"), progress=Changing())["a.zip"], downloads)
    assert [request.status for request in server.log] == [200, 206, 200]
    assert "what came in pieces is not the file" in listener.said[1]


@pytest.mark.parametrize(
    ("resource", "why"),
    [
        (None, "answers 404 Not Found"),
        (Resource(CONTENT, [Act(status=403)] * 9), "answers 403 Forbidden"),
        (Resource(CONTENT, [Act(status=204)] * 9), "answers 204 No Content"),
        (Resource(CONTENT, [Act(status=500)] * 9), "answers 500 Internal Server Error (5 times)"),
        (Resource(CONTENT, [Act(status=302, headers={"Location": "/a.zip"})] * 99), "leads nowhere"),
        (Resource(CONTENT, [Act(drop_after=0)] * 9), "broke off the connection"),
        (Resource(CONTENT, [Act(stall_after=0)] * 9), "was silent for 0.2 s (5 times)"),
        (Resource(OTHER), "sends another file: its SHA256 is "),
        (Resource(CONTENT[:-1]), "offers 299999 bytes, not 300000"),
        (Resource(CONTENT + b"!"), "offers 300001 bytes, not 300000"),
        (Resource(CONTENT, [Act(headers={"Content-Encoding": "gzip"})] * 9), "sends the file as gzip"),
        (Resource(CONTENT, [Act(body=CONTENT + b"!", headers={"Content-Length": None})] * 9), "more than the 300000"),
        (Resource(CONTENT, [Act(body=CONTENT[:9], headers={"Content-Length": None})] * 9), "ended after 45 of 300000"),
    ],
    ids=[
        "404", "403", "204", "500", "redirects in a circle", "resets", "silence", "wrong bytes", "too short",
        "too long", "compressed", "sends more", "sends less",
    ],
)  # fmt: skip
@pytest.mark.parametrize("fallback", [False, True], ids=["nowhere else", "falls to the second address"])
def test_an_address_without_the_file(server, second_server, download, downloads, resource, why, fallback):
    if resource is not None:
        server.files["/a.zip"] = Resource(**vars(resource) | {"acts": list(resource.acts)})
    addresses = [f"{server.url}/a.zip"]
    if fallback:
        second_server.files["/b"] = Resource(CONTENT)
        addresses.append(f"{second_server.url}/b")
    outcome = download(remote_file(CONTENT, *addresses))["a.zip"]
    if fallback:
        assert_arrived(outcome, downloads)
    else:
        assert isinstance(outcome, BadFile)
        assert f"127.0.0.1:{server.port} {why}" in outcome.reason or why in outcome.reason
        assert not (downloads / "a.zip").exists()


def test_an_address_that_nobody_serves(download, downloads):
    outcome = download(remote_file(CONTENT, "http://127.0.0.1:9/a.zip"))["a.zip"]
    assert "127.0.0.1:9 cannot be reached" in outcome.reason
    assert "(5 times)" in outcome.reason
    assert list(downloads.glob("a.zip*")) == []


def test_a_password_in_an_address_is_not_shown(server, download):
    listener = Listener()
    server.files["/a.zip"] = Resource(CONTENT, [Act(status=503)] * 9)
    address = f"http://me:secret@127.0.0.1:{server.port}/a.zip"
    outcome = download(remote_file(CONTENT, address), progress=listener)["a.zip"]
    assert "answers 503" in outcome.reason
    assert "secret" not in outcome.reason + "".join(listener.said)


@pytest.mark.parametrize("wrong", [{"md5": "0" * 32}, {"sha256": "0" * 64}])
def test_every_known_checksum_is_verified(server, download, downloads, wrong):
    file = remote_file(CONTENT, f"{server.url}/a.zip")
    server.files["/a.zip"] = Resource(CONTENT)
    outcome = download(remote_file(CONTENT, *file.addresses, checksums={**file.checksums, **wrong}))["a.zip"]
    assert f"its {next(iter(wrong)).upper()} is" in outcome.reason
    assert list(downloads.glob("a.zip*")) == []


def test_a_redirect_is_followed_on_each_attempt(server, second_server, download, downloads):
    server.files["/a.zip"] = Resource(b"", [Act(status=303, headers={"Location": f"{second_server.url}/signed"})] * 2)
    second_server.files["/signed"] = Resource(CONTENT, [Act(drop_after=100_000)])
    assert_arrived(download(remote_file(CONTENT, f"{server.url}/a.zip"))["a.zip"], downloads)
    assert second_server.starts("/signed")[1] > 0


def test_the_second_address_goes_on_where_the_first_gave_up(server, second_server, download, downloads):
    server.files["/a.zip"] = Resource(CONTENT, [Act(drop_after=100_000)] + [Act(status=500)] * 9)
    second_server.files["/a.zip"] = Resource(CONTENT, etag='"other"')
    file = remote_file(CONTENT, f"{server.url}/a.zip", f"{second_server.url}/a.zip")
    assert_arrived(download(file)["a.zip"], downloads)
    assert second_server.starts("/a.zip")[0] > 0
    assert second_server.log[0].if_range is None  # another server's tag says nothing here


def test_without_a_checksum_the_pieces_of_two_addresses_are_not_joined(server, second_server, download, downloads):
    server.files["/a.zip"] = Resource(OTHER, [Act(drop_after=100_000)] + [Act(status=500)] * 9)
    second_server.files["/a.zip"] = Resource(CONTENT)
    file = remote_file(CONTENT, f"{server.url}/a.zip", f"{second_server.url}/a.zip", checksums={})
    assert_arrived(download(file)["a.zip"], downloads)
    assert second_server.starts("/a.zip") == [None]


def test_attempts_that_bring_something_are_no_failures(server, download, downloads):
    content = random_bytes(12 * 300_000)
    acts = [Act(stall_after=300_000) for _ in range(11)]  # more than the 4 retries
    server.files["/a.zip"] = Resource(content, acts)
    policy = Policy(retries=4, timeout=0.1, first_wait=0.001)
    path, _ = download(remote_file(content, f"{server.url}/a.zip"), policy=policy)["a.zip"]
    assert path.read_bytes() == content
    assert server.sent() == len(content)


@pytest.mark.parametrize(
    ("retry_after", "said"),
    [
        ("2", "trying again in 2 s"),
        ("86400", "trying again in 3 s"),  # no longer than the policy allows
        (format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True), "trying again in 3 s"),
        ("soon", "; trying again"),
    ],
    ids=["seconds", "a day", "a date", "words"],  # the date is another one each time
)
def test_a_busy_server_says_how_long_to_wait(server, download, downloads, monkeypatch, retry_after, said):
    server.files["/a.zip"] = Resource(CONTENT, [Act(status=429, headers={"Retry-After": retry_after})])
    monkeypatch.setattr(threading.Event, "wait", lambda self, _=None: self.is_set())
    listener = Listener()
    policy = Policy(timeout=5, first_wait=0.5, longest_wait=3)
    outcome = download(remote_file(CONTENT, f"{server.url}/a.zip"), policy=policy, progress=listener)["a.zip"]
    assert_arrived(outcome, downloads)
    assert "answers 429 Too Many Requests" in listener.said[0]
    assert said in listener.said[0]


def test_waits_grow(server, download, monkeypatch):
    waits = []
    server.files["/a.zip"] = Resource(CONTENT, [Act(status=503) for _ in range(4)])

    def wait(self, timeout=None):
        if timeout and timeout > 1:
            waits.append(timeout)
        return self.is_set()

    monkeypatch.setattr(threading.Event, "wait", wait)
    download(remote_file(CONTENT, f"{server.url}/a.zip"), policy=Policy(timeout=5, first_wait=10, longest_wait=1000))
    assert len(waits) == 4
    assert all(10 * 2**n / 2 <= wait <= 10 * 2**n * 1.5 for n, wait in enumerate(waits))


def test_several_files_at_once_and_one_that_fails_does_not_stop_the_others(server, download, downloads):
    contents = {f"{n}.zip": random_bytes(50_000, n) for n in range(6)}
    files = [remote_file(content, f"{server.url}/{name}", name=name) for name, content in contents.items()]
    server.files |= {f"/{name}": Resource(content) for name, content in contents.items() if name != "3.zip"}
    outcomes = download(*files)
    assert "answers 404" in outcomes.pop("3.zip").reason
    assert {name: path.read_bytes() for name, (path, _) in outcomes.items()} == {
        name: content for name, content in contents.items() if name != "3.zip"
    }


def test_progress_hears_of_every_byte_once(server, download):
    heard = []

    class Counting(Listener):
        def task(self, description, total=None, *, unit="steps", done=0):
            heard.extend([total, unit, done])
            return self

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def advance(self, steps=1):
            heard.append(steps)

        def note(self, text):
            heard.append(text)

    server.files["/a.zip"] = Resource(CONTENT, [Act(drop_after=200_000)], ranges=False)  # all of it comes twice
    download(remote_file(CONTENT, f"{server.url}/a.zip"), progress=Counting())
    assert heard[:4] == [300_000, "bytes", 0, "0 of 1 files"]
    assert heard[-1] == "1 of 1 files"
    assert sum(step for step in heard[3:] if isinstance(step, int)) == 300_000


def test_what_an_earlier_run_left_is_gone_on_with(server, download, downloads):
    downloads.mkdir(parents=True)
    (downloads / "a.zip.part").write_bytes(CONTENT[:123_456])
    server.files["/a.zip"] = Resource(CONTENT)
    assert_arrived(download(remote_file(CONTENT, f"{server.url}/a.zip"))["a.zip"], downloads)
    assert server.starts("/a.zip") == [123_456]


def test_a_part_that_is_whole_needs_no_request(server, download, downloads):
    downloads.mkdir(parents=True)
    (downloads / "a.zip.part").write_bytes(CONTENT)
    assert_arrived(download(remote_file(CONTENT, f"{server.url}/a.zip"))["a.zip"], downloads)
    assert server.log == []


@pytest.mark.parametrize("left", [OTHER, OTHER[:100_000], CONTENT + b"!", b""])
def test_a_part_that_is_no_part_of_the_file_does_no_harm(server, download, downloads, left):
    downloads.mkdir(parents=True)
    (downloads / "a.zip.part").write_bytes(left)
    server.files["/a.zip"] = Resource(CONTENT)
    assert_arrived(download(remote_file(CONTENT, f"{server.url}/a.zip"))["a.zip"], downloads)


def test_a_full_disk_is_named_and_not_tried_again(server, download, downloads, monkeypatch):
    from lesionctl.fetch.network.part import Part

    def fail(self, chunk):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Part, "append", fail)
    server.files["/a.zip"] = Resource(CONTENT)
    outcome = download(remote_file(CONTENT, f"{server.url}/a.zip"))["a.zip"]
    assert "No space left on device" in outcome.reason
    assert len(server.log) == 1


def test_a_damaged_file_in_the_cache_is_replaced(server, download, downloads):
    downloads.mkdir(parents=True)
    (downloads / "a.zip").write_bytes(OTHER)
    server.files["/a.zip"] = Resource(CONTENT)
    assert_arrived(download(remote_file(CONTENT, f"{server.url}/a.zip"))["a.zip"], downloads)


@pytest.mark.parametrize("ranges", [True, False])
def test_the_size_is_asked_for_without_loading_the_file(server, second_server, ranges):
    second_server.files["/a.zip"] = Resource(CONTENT, ranges=ranges)
    file = remote_file(CONTENT, f"{server.url}/a.zip", f"{second_server.url}/a.zip", size=None, exact=False)
    with open_client(1) as client:
        assert ask_size(client, file) == 300_000
    assert second_server.starts("/a.zip") == [0]


def test_nobody_knows_the_size(server):
    with open_client(1) as client:
        assert ask_size(client, remote_file(CONTENT, f"{server.url}/a.zip", "http://127.0.0.1:9/a.zip")) is None


def test_quick_policy_is_the_default_with_shorter_waits():
    assert (Policy().connections, Policy().retries, Policy().timeout) == (4, 5, 30.0)
    assert QUICK.retries < Policy().retries


def test_the_cache_knows_what_was_verified(server, download, downloads):
    server.files["/a.zip"] = Resource(CONTENT)
    file = remote_file(CONTENT, f"{server.url}/a.zip")
    download(file)
    heard = []
    assert Cache(downloads).find(file, heard.append)
    assert heard == []  # not read through again
