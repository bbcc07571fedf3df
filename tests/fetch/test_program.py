"""The real program against a server: killed, started twice, stopped, with a cache that it may only read."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from lesionctl.fetch.catalog import load_catalog

from .conftest import PIECE, contents

WITHOUT_ROOTS_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)
    assert condition()


def wait_for(server, sent, running):
    """Wait until the server has sent so many bytes, or the program has ended."""
    wait_until(lambda: server.sent() >= sent or running.poll() is not None)


def sizes_of_parts(downloads):
    """Bytes that have come of files that are not whole yet, by the path on the server."""
    return {f"/{path.name.removesuffix('.part')}": path.stat().st_size for path in downloads.glob("[!.]*.part")}


def test_a_set_by_one_line(make_set, run_program, tmp_path):
    tiny = make_set()
    done = run_program("fetch", "tiny", "--catalog", tiny.catalog)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/cache/sets/tiny\n")
    assert contents(tmp_path / "cache" / "sets" / "tiny" / "images") == tiny.images
    assert "licence: CC0-1.0" in done.stderr
    assert "cite: Somebody A. A paper. 2018." in done.stderr
    listed = json.loads(run_program("fetch", "--list", "--json", LESIONCTL_FETCH_CATALOG=str(tiny.catalog)).stdout)
    assert listed[0]["cached"] == {"train": "unpacked", "test": "unpacked"}
    assert all(file["cached"] for file in listed[0]["files"])


def test_killed_at_twenty_moments_it_goes_on_and_verifies(make_set, program, run_program, server, tmp_path):
    tiny = make_set(size=90_000)  # archives of 270 and 180 KB, and two of about 1 KB
    downloads, unpacked = tmp_path / "cache" / "downloads", tmp_path / "cache" / "sets" / "tiny"
    words = ("--quiet", "fetch", "tiny", "--catalog", tiny.catalog, "--connections", "2")
    moments, kills, resumed, parts, lost = random.Random(7), 0, 0, {}, []
    total = sum(map(len, tiny.archives.values()))
    server.rate = 500_000
    while kills < 20:
        begun, asked = server.sent(), len(server.log)
        running = subprocess.Popen(**program(*words))
        if begun < 0.9 * total:  # while it is downloading
            wait_for(server, begun + moments.randint(1, total // 10), running)
        else:  # while it begins, downloads the rest, verifies or unpacks
            time.sleep(moments.uniform(0.1, 0.6))
        running.kill()
        kills += running.wait() == -signal.SIGKILL
        running.communicate()
        time.sleep(2 * PIECE / server.rate)  # until the server has noticed

        requests = server.log[asked:]
        for request in requests:  # what had come was not asked for again
            assert request.start == (parts.get(request.path) or None)
        resumed += sum(request.start is not None for request in requests)
        parts = sizes_of_parts(downloads)
        for path, size in parts.items():
            assert (downloads / f"{path[1:]}.part").read_bytes() == tiny.archives[path[1:]][:size]
        lost += [
            (request.start or 0) + request.sent - parts[request.path] for request in requests if request.path in parts
        ]
        for name, content in tiny.archives.items():  # under its final name, a file is right
            assert not (downloads / name).exists() or (downloads / name).read_bytes() == content
        for folder, expected in (("images", tiny.images), ("masks", tiny.masks)):
            assert not (unpacked / folder).exists() or contents(unpacked / folder).items() <= expected.items()
        if running.returncode == 0:  # it was done before its moment came: once more, from the archives
            shutil.rmtree(unpacked)

    server.rate = None
    asked = len(server.log)
    done = run_program(*words)
    assert done.returncode == 0, done.stderr
    assert {request.path: request.start or 0 for request in server.log[asked:] if request.path in parts} == parts
    assert contents(downloads) == tiny.archives
    assert contents(unpacked / "images") == tiny.images
    assert contents(unpacked / "masks") == tiny.masks
    assert {path.name for path in unpacked.rglob("*") if path.name.startswith(".")} == {".lock"}
    assert resumed >= 5
    assert max(lost) <= 4 * PIECE  # what was on its way on one connection


def test_two_at_once_load_once(make_set, program, server, tmp_path):
    tiny = make_set(size=100_000)
    server.rate = 1_000_000
    both = [subprocess.Popen(**program("fetch", "tiny", "--catalog", tiny.catalog)) for _ in range(2)]
    outputs = [running.communicate(timeout=60) for running in both]
    assert [running.returncode for running in both] == [0, 0], outputs
    assert sorted(request.path for request in server.log) == sorted(server.files)
    assert server.sent() == sum(map(len, tiny.archives.values()))
    assert contents(tmp_path / "cache" / "sets" / "tiny" / "images") == tiny.images


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_by_a_signal_it_says_so_and_goes_on(make_set, program, run_program, server, tmp_path, number):
    tiny = make_set(size=100_000)
    server.rate = 200_000
    running = subprocess.Popen(**program("fetch", "tiny", "--catalog", tiny.catalog))
    wait_until(lambda: server.sent() > 100_000)
    running.send_signal(number)
    output, errors = running.communicate(timeout=30)
    assert (running.returncode, output) == (75, "")
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    server.rate = None
    asked = len(server.log)
    assert run_program("fetch", "tiny", "--catalog", tiny.catalog).returncode == 0
    assert any(request.start for request in server.log[asked:])
    assert contents(tmp_path / "cache" / "sets" / "tiny" / "images") == tiny.images


@pytest.fixture
def run_without_rights(program):
    """Run the program as somebody whom the rights of files bind; root needs to give some up for that."""

    def run(*arguments, **variables):
        settings = program(*arguments, **variables)
        if os.geteuid() == 0:
            if not shutil.which("setpriv"):
                pytest.skip("root may write anywhere, and there is no setpriv")
            settings["args"] = [*WITHOUT_ROOTS_RIGHTS, *settings["args"]]
        return subprocess.run(**settings, timeout=60, check=False)

    return run


@pytest.fixture
def read_only():
    """A function that forbids to write to a folder and all in it, until the test is over."""
    folders = []

    def forbid(top):
        folders.extend([top, *(path for path in top.rglob("*") if path.is_dir())])
        for folder in folders:
            folder.chmod(0o555)

    yield forbid
    for folder in folders:
        folder.chmod(0o755)


def test_a_shared_cache_to_read_from(make_set, run_program, run_without_rights, read_only, server, tmp_path):
    tiny = make_set()
    words = ("fetch", "tiny:train", "--catalog", tiny.catalog)
    assert run_program(*words).returncode == 0
    cache = tmp_path / "cache"
    for path in (cache / "downloads").glob(".*"):  # as if somebody had copied the archives there
        path.unlink()
    read_only(cache)
    before = sorted(cache.rglob("*"))
    asked = len(server.log)

    unpacked = run_without_rights(*words)
    assert (unpacked.returncode, unpacked.stdout) == (0, f"{cache}/sets/tiny\n")
    elsewhere = run_without_rights(*words, "--to", "mine")
    assert (elsewhere.returncode, elsewhere.stdout) == (0, "mine\n")
    assert contents(tmp_path / "mine" / "images").items() <= tiny.images.items()
    assert (sorted(cache.rglob("*")), len(server.log)) == (before, asked)

    lacking = run_without_rights("fetch", "tiny:test", "--catalog", tiny.catalog)
    assert lacking.returncode == 1
    assert f"nothing can be written to the cache {cache}/downloads (Permission denied)" in lacking.stderr
    assert "LESIONCTL_CACHE_DIR" in lacking.stderr


def test_archives_in_a_cache_to_read_from_need_another_place_to_be_unpacked(
    make_set, run_without_rights, read_only, tmp_path
):
    tiny = make_set()
    downloads = tmp_path / "cache" / "downloads"
    downloads.mkdir(parents=True)
    for name, content in tiny.archives.items():
        (downloads / name).write_bytes(content)
    read_only(tmp_path / "cache")
    refused = run_without_rights("--offline", "fetch", "tiny", "--catalog", tiny.catalog)
    assert refused.returncode == 1
    assert "nothing can be written to" in refused.stderr
    assert "--to DIR" in refused.stderr
    assert run_without_rights("--offline", "fetch", "tiny", "--catalog", tiny.catalog, "--to", "t").returncode == 0


def test_offline_by_the_variable_opens_no_connection(make_set, run_program, server):
    tiny = make_set()
    done = run_program("fetch", "tiny", "--catalog", tiny.catalog, LESIONCTL_OFFLINE="1")
    assert (done.returncode, done.stdout, server.log) == (1, "", [])
    assert "nothing could be fetched:\n  tiny_Training_Input.zip: is not in the cache" in done.stderr
    assert "hint: run the same command without --offline" in done.stderr


def test_some_failed_is_exit_code_3_and_the_rest_is_there(make_set, run_program, server, tmp_path):
    tiny = make_set()
    del server.files["/tiny_Test_Input.zip"]
    done = run_program("fetch", "tiny", "--catalog", tiny.catalog, "--json")
    assert done.returncode == 3
    (found,) = json.loads(done.stdout)
    assert (found["pictures"], found["masks"], found["path"]) == (3, 5, f"{tmp_path}/cache/sets/tiny")
    assert "1 of 4 inputs failed, the rest are done:\n  tiny_Test_Input.zip: " in done.stderr


def test_a_fetched_set_is_what_prepare_takes_by_its_name(run_program, make_set, demo, tmp_path):
    tiny = make_set()
    for part, pictures in {"Training": range(8), "Test": range(8, 12)}.items():
        for place, folder in {"Input": "images", "GroundTruth": "masks"}.items():
            (tmp_path / "mine" / f"tiny_{part}_{place}").mkdir(parents=True)
            for path in sorted((demo / folder).iterdir())[pictures.start : pictures.stop]:
                shutil.copy(path, tmp_path / "mine" / f"tiny_{part}_{place}")
    fetched = run_program("fetch", "tiny", "--catalog", tiny.catalog, "--from", "mine")
    assert fetched.returncode == 0, fetched.stderr
    prepared = run_program("prepare", "tiny", "--out", "store", "--size", "64", "--json")
    assert json.loads(prepared.stdout)["pairs"] == 12, prepared.stderr


def test_loading_needs_none_of_the_heavy_libraries(make_set, program):
    tiny = make_set()
    spy = (
        "import sys; sys.argv = ['lesionctl', 'fetch', '--list'];"
        "from lesionctl.cli.main import main\ntry: main()\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'PIL', 'cv2', 'httpx2', 'huggingface_hub'} & set(sys.modules)))"
    )
    settings = program()
    done = subprocess.run(
        **settings
        | {
            "args": [settings["args"][0], "-c", spy],
            "env": settings["env"] | {"LESIONCTL_FETCH_CATALOG": str(tiny.catalog)},
        },
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert load_catalog(tiny.catalog)["tiny"].name in done.stdout
