"""Encoder weights in the cache, from a hub on this machine: whole and fitting, or not at all."""

from __future__ import annotations

import hashlib
import http.server
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import huggingface_hub.constants
import pytest
import safetensors
import safetensors.torch
import torch

from lesionctl.errors import BadFile, LesionctlError, UsageError
from lesionctl.fetch.encoder import FetchedEncoder, fetch_encoder
from lesionctl.nets.encoders import HUB, build_encoder
from lesionctl.nets.timm_import import timm
from lesionctl.paths import encoder_weights_file
from lesionctl.progress import Silent

TINY = "mobilenetv3_small_050"
REPOSITORY = "timm/mobilenetv3_small_050.lamb_in1k"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """A server that answers as the hub does: HEAD and GET of `/OWNER/NAME/resolve/REVISION/FILE`."""

    def __init__(self):
        self.files = {}
        self.refuse_with = None
        self.break_after = None  # bytes of the first answer, once
        self.requests = []
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self):
                hub.answer(self)

            def do_GET(self):
                hub.answer(self)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request):
        self.requests.append(f"{request.command} {request.path}")
        content = self.files.get(request.path.replace(f"/{COMMIT}/", "/main/"))
        if self.refuse_with or content is None:
            request.send_response(self.refuse_with or 404)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        start = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        request.send_response(206 if start else 200)
        request.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        request.send_header("X-Repo-Commit", COMMIT)
        request.send_header("Content-Length", str(len(content) - start))
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.end_headers()
        if request.command == "GET":
            stop, self.break_after = self.break_after, None
            request.wfile.write(content[start:stop])
            request.close_connection = stop is not None


@pytest.fixture
def hub(monkeypatch):
    """A hub that this process takes for the real one; its files are in `hub.files`."""
    hub = Hub()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
    address = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", address)
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """The folder of encoders of an empty cache; it does not exist yet."""
    monkeypatch.setenv("LESIONCTL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "encoders"


@pytest.fixture(scope="module")
def published():
    """The tensors of a whole timm model, with the classifier that no encoder has."""
    torch.manual_seed(1)
    return timm.create_model(TINY).state_dict()


def served(tensors):
    return {f"/{REPOSITORY}/resolve/main/model.safetensors": safetensors.torch.save(tensors, {"format": "pt"})}


def names_in(folder):
    """What a person sees there, and what a fetch that failed left behind; not the empty file of its lock."""
    return sorted(path.name for path in folder.glob("*") if path.suffix != ".lock") if folder.exists() else []


class Heard(Silent):
    """A listener that remembers."""

    def __init__(self):
        self.said, self.warned, self.tasks = [], [], []

    def say(self, message):
        self.said.append(message)

    def warn(self, message):
        self.warned.append(message)

    def task(self, description, total=None, *, unit="steps", done=0):
        self.tasks.append(HeardTask(description, total, unit))
        return self.tasks[-1]


class HeardTask:
    def __init__(self, description, total, unit):
        self.description, self.total, self.unit, self.steps = description, total, unit, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def advance(self, steps=1):
        self.steps += steps


def test_fetched_weights_are_used_without_a_network(hub, cache, published, monkeypatch):
    hub.files = served(published)
    progress = Heard()
    fetched = fetch_encoder(TINY, progress)
    assert fetched == FetchedEncoder(
        path=cache / f"{TINY}.safetensors",
        licence="apache-2.0",
        origin=f"{hub.url}/{REPOSITORY}/resolve/{COMMIT}/model.safetensors",
        papers=(),
    )
    assert names_in(cache) == [f"{TINY}.safetensors"]
    [task] = progress.tasks
    size = len(next(iter(hub.files.values())))
    assert (task.description, task.unit, task.total, task.steps) == (f"fetching {TINY}", "bytes", size, size)

    def refuse(*_, **__):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    encoder = build_encoder(TINY, 3, HUB).state_dict()
    assert len(encoder) == 240
    assert [name for name, values in encoder.items() if not torch.equal(values, published[name])] == []


PROGRAM = """
from lesionctl.fetch.encoder import fetch_encoder
fetched = fetch_encoder("mobilenetv3_small_050")
print(fetched.path)
"""


def test_the_mirror_that_the_environment_names_is_asked(hub, cache, published):
    hub.files = served(published)
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(cache.parent / "hf")}
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    assert (process.stdout, process.stderr) == (f"{cache / TINY}.safetensors\n", "")
    files = [request for request in hub.requests if "/resolve/" in request]
    assert files == [f"{verb} /{REPOSITORY}/resolve/main/model.safetensors" for verb in ("HEAD", "GET")]
    assert sorted(path.name for path in cache.parent.iterdir()) == ["encoders"]  # nothing in the hub's own cache


def test_a_name_with_a_tag_has_a_file_of_its_own(hub, cache, published):
    hub.files = served(published)
    for name in (TINY, f"{TINY}.lamb_in1k"):
        assert fetch_encoder(name).path.name == f"{name}.safetensors"
    assert names_in(cache) == [f"{TINY}.lamb_in1k.safetensors", f"{TINY}.safetensors"]


def test_what_is_cached_is_not_fetched_again(hub, published):
    hub.files = served(published)
    first = fetch_encoder(TINY)
    before, progress = list(hub.requests), Heard()
    assert fetch_encoder(TINY, progress) == first == fetch_encoder(TINY, offline=True)
    assert hub.requests == before
    assert progress.said == [f"the weights of '{TINY}' are in the cache already"]


def test_jobs_at_the_same_time_fetch_once(hub, cache, published):
    hub.files = served(published)
    with ThreadPoolExecutor(4) as jobs:
        fetched = set(jobs.map(fetch_encoder, [TINY] * 4))
    assert [one.path for one in fetched] == [cache / f"{TINY}.safetensors"]
    assert sum(request.startswith("GET /timm") for request in hub.requests) == 1


def test_what_a_killed_job_left_is_cleared_up(hub, cache, published):
    hub.files = served(published)
    rest = cache / f".{TINY}.safetensors.part"
    rest.mkdir(parents=True)
    (rest / f"{TINY}.safetensors").write_bytes(b"half")
    fetch_encoder(TINY)
    assert names_in(cache) == [f"{TINY}.safetensors"]


def test_licence_origin_and_papers_of_timm_are_recorded(hub):
    name = "convnextv2_atto.fcmae_ft_in1k"
    tensors = timm.create_model(name).state_dict()
    hub.files = {f"/timm/{name}/resolve/main/model.safetensors": safetensors.torch.save(tensors)}
    fetched = fetch_encoder(name)
    assert (fetched.licence, fetched.papers) == ("cc-by-nc-4.0", ("arXiv:2301.00808",))
    assert fetched.origin == (
        f"{hub.url}/timm/{name}/resolve/{COMMIT}/model.safetensors, "
        "first published at https://github.com/facebookresearch/ConvNeXt-V2"
    )
    with safetensors.safe_open(fetched.path, framework="numpy") as file:
        assert file.metadata() == {
            "format": "pt",
            "encoder": name,
            "licence": fetched.licence,
            "origin": fetched.origin,
            "papers": "arXiv:2301.00808",
        }


def test_a_connection_that_breaks_is_taken_up_where_it_broke(hub, published, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    hub.files = served(published)
    hub.break_after = 1_000_000
    progress = Heard()
    fetched = fetch_encoder(TINY, progress)
    assert [request.split()[0] for request in hub.requests] == ["HEAD", "GET", "GET"]
    assert [(task.steps, task.total) for task in progress.tasks] == [(len(next(iter(hub.files.values()))),) * 2]
    assert len(progress.warned) == 1
    assert "Trying to resume download" in progress.warned[0]
    tensors = safetensors.torch.load_file(fetched.path)
    assert all(torch.equal(tensors[name], values) for name, values in published.items())


def test_weights_that_do_not_fit_are_refused(hub, cache, published):
    hub.files = served({name: values for name, values in published.items() if name != "conv_stem.weight"})
    with pytest.raises(LesionctlError, match=f"do not fit the encoder '{TINY}'.*conv_stem.weight") as caught:
        fetch_encoder(TINY)
    assert f"{hub.url}/{REPOSITORY}" in caught.value.what
    assert names_in(cache) == []


def test_junk_is_refused(hub, cache, published):
    hub.files = dict.fromkeys(served(published), b"<html>sign in</html>")
    with pytest.raises(LesionctlError, match="is no file of weights"):
        fetch_encoder(TINY)
    assert names_in(cache) == []


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, f"if {REPOSITORY} is gated on the hub, accept its terms there and set HF_TOKEN"),
        (404, f"where a network is: lesionctl fetch --encoder {TINY}; the file that it makes can be copied to "),
    ],
)
def test_a_refusal_of_the_hub_is_told_with_what_to_do(hub, cache, status, hint):
    hub.refuse_with = status
    with pytest.raises(LesionctlError, match=f"the weights of '{TINY}' cannot be fetched from .*{status}") as caught:
        fetch_encoder(TINY)
    assert (caught.value.hint or "").startswith(hint)
    assert names_in(cache) == []


@pytest.mark.parametrize("name", [TINY, "tf_efficientnet_lite0.in1k"])
def test_offline_the_hub_is_not_asked(hub, cache, name):
    with pytest.raises(LesionctlError, match=f"the weights of '{name}' are not in the cache") as caught:
        fetch_encoder(name, offline=True)
    assert f"lesionctl fetch --encoder {name}" in (caught.value.hint or "")
    assert hub.requests == []
    assert not cache.exists()


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("resnet51", "timm has no encoder named 'resnet51'", "resnet50"),
        ("resnet18.no_in1k", "timm's encoder 'resnet18' has no weights named 'no_in1k'", "resnet18.a1_in1k"),
        ("resnet18./../../x", "timm's encoder 'resnet18' has no weights named '/../../x'", "resnet18.a1_in1k"),
        ("legacy_seresnet18", "timm's hub has no weights for 'legacy_seresnet18'", "seresnet18-4bb0ce65.pth and pass"),
        ("botnet50ts_256", "timm's hub has no weights for 'botnet50ts_256'", "--encoder-weights none"),
    ],
)
def test_what_the_hub_does_not_have_is_a_usage_error(hub, cache, name, what, hint):
    with pytest.raises(UsageError) as caught:
        fetch_encoder(name)
    assert caught.value.what == what
    assert hint in (caught.value.hint or "")
    assert hub.requests == []
    assert not cache.exists()


def test_a_file_that_a_person_put_into_the_cache_is_taken(cache, published):
    cache.mkdir(parents=True)
    safetensors.torch.save_file(published, encoder_weights_file(TINY))
    assert fetch_encoder(TINY) == FetchedEncoder(encoder_weights_file(TINY), "unknown", "unknown", ())


def test_a_damaged_file_in_the_cache_is_named(cache, published):
    cache.mkdir(parents=True)
    encoder_weights_file(TINY).write_bytes(safetensors.torch.save(published)[:-1])
    with pytest.raises(BadFile, match="cannot be read") as caught:
        fetch_encoder(TINY)
    assert caught.value.path == encoder_weights_file(TINY)
    assert caught.value.hint == "remove it, and fetch it again"
