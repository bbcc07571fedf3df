"""A server on 127.0.0.1 that fails in every way that servers do, and small sets for it to serve."""

from __future__ import annotations

import hashlib
import io
import os
import random
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lesionctl.fetch.cache import Cache
from lesionctl.fetch.catalog import Kind, RemoteFile
from lesionctl.fetch.network.client import open_client
from lesionctl.fetch.network.download import Policy
from lesionctl.fetch.network.transfer import transfer
from lesionctl.progress import Silent

PIECE = 16 * 1024
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass
class Act:
    """How one request is answered, where that is not well.

    Attributes:
        status: Answered in place of the file.
        headers: Sent beside or in place of the usual ones; None leaves one out.
        body: Sent in place of the file, or of the rest of it.
        drop_after: Bytes after which the connection is reset.
        stall_after: Bytes after which nothing comes any more.
    """

    status: int | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    body: bytes | None = None
    drop_after: int | None = None
    stall_after: int | None = None


@dataclass
class Resource:
    """A file that is served; `acts` says how the first requests for it are answered."""

    content: bytes
    acts: list[Act] = field(default_factory=list)
    etag: str | None = '"v1"'
    modified: str | None = None
    ranges: bool = True


@dataclass
class Request:
    """A line of the server's log."""

    path: str
    target: str
    start: int | None
    if_range: str | None
    status: int = 0
    sent: int = 0


class HostileServer:
    """Serves `files` by path, and writes down in `log` what it was asked and how much it sent."""

    def __init__(self) -> None:
        self.files: dict[str, Resource] = {}
        self.log: list[Request] = []
        self.rate: float | None = None
        self.over = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(self))
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def speak_tls(self, certificate: Path, key: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.over.set()
        self._http.shutdown()
        self._http.server_close()

    def sent(self, path: str | None = None) -> int:
        return sum(request.sent for request in list(self.log) if path in (None, request.path))

    def starts(self, path: str) -> list[int | None]:
        return [request.start for request in list(self.log) if request.path == path]


def _make_handler(server: HostileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            return

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # the client is gone
                self.close_connection = True

        def do_GET(self) -> None:
            path = urlsplit(self.path).path  # a client that takes this server for a proxy sends a whole address
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            request = Request(path, self.path, int(asked[1]) if asked else None, self.headers.get("If-Range"))
            server.log.append(request)
            resource = server.files.get(path)
            if resource is None:
                self.answer(request, 404, {"Content-Length": "0"})
                return
            act = resource.acts.pop(0) if resource.acts else Act()
            if act.status is not None:
                body = act.body or b""
                self.answer(request, act.status, {"Content-Length": str(len(body))} | act.headers)
                self.wfile.write(body)
                return
            self.serve(request, resource, act, asked)

        def serve(self, request: Request, resource: Resource, act: Act, asked: re.Match[str] | None) -> None:
            content = resource.content
            headers: dict[str, str | None] = {"ETag": resource.etag, "Last-Modified": resource.modified}
            same = request.if_range in (None, resource.etag, resource.modified)
            status, start, end = 200, 0, len(content)
            if asked and resource.ranges and same:
                start = int(asked[1])
                end = min(int(asked[2]) + 1, len(content)) if asked[2] else len(content)
                if start >= len(content):
                    self.answer(request, 416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
                    return
                status = 206
                headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
            body = content[start:end] if act.body is None else act.body
            headers = headers | {"Content-Length": str(len(body))} | act.headers
            self.answer(request, status, headers)
            self.send(request, body, act)
            if act.headers:  # the promised length may be wrong, and the client waits for the end
                self.close_connection = True

        def answer(self, request: Request, status: int, headers: dict[str, str | None]) -> None:
            request.status = status
            self.send_response(status)
            for name, value in headers.items():
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()

        def send(self, request: Request, body: bytes, act: Act) -> None:
            limit = next((n for n in (act.drop_after, act.stall_after) if n is not None), len(body))
            for position in range(0, min(limit, len(body)), PIECE):
                piece = body[position : min(position + PIECE, limit)]
                self.wfile.write(piece)
                request.sent += len(piece)
                if server.rate:
                    time.sleep(len(piece) / server.rate)
            if act.drop_after is not None:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
                self.connection.close()
                self.close_connection = True
            elif act.stall_after is not None:
                server.over.wait(20)
                self.close_connection = True

    return Handler


@pytest.fixture
def server():
    serving = HostileServer()
    yield serving
    serving.close()


@pytest.fixture
def second_server():
    serving = HostileServer()
    yield serving
    serving.close()


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch, tmp_path):
    """No proxy or certificates of the environment, and a cache of the test's own."""
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in CA_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LESIONCTL_CACHE_DIR", str(tmp_path / "cache"))


def random_bytes(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def remote_file(content: bytes, *addresses: str, name: str = "a.zip", **changes) -> RemoteFile:
    """A file of a catalog that knows all about it, but for what `changes` say."""
    known = {
        "part": "train",
        "kinds": frozenset({Kind.IMAGES}),
        "size": len(content),
        "exact": True,
        "checksums": {"sha256": hashlib.sha256(content).hexdigest(), "md5": hashlib.md5(content).hexdigest()},
    }
    return RemoteFile(name, addresses, **known | changes)


QUICK = Policy(retries=4, timeout=0.2, first_wait=0.01, longest_wait=0.05)


@pytest.fixture
def download(tmp_path):
    """Download files into the test's cache; for each name, what became of it."""

    def run(*files: RemoteFile, policy: Policy = QUICK, progress=None):
        cache = Cache(tmp_path / "cache" / "downloads")
        cache.require_writable()
        sizes = {file.name: file.size for file in files if file.size}
        with open_client(policy.timeout) as client:
            return transfer(files, sizes, cache, client, policy, progress or Silent())

    return run


def make_zip(members: dict[str, bytes]) -> bytes:
    """A zip that is the same to the byte each time."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2018, 7, 1, 0, 0, 0)), content)
    return stream.getvalue()


def make_part(part: str, first: int, count: int, size: int) -> dict[str, bytes]:
    """The archives of one split of a set, laid out as the ISIC ones: pictures of about `size` bytes, and masks."""
    ids = [f"ISIC_{number:07d}" for number in range(first, first + count)]
    images = {f"tiny_{part}_Input/{name}.jpg": random_bytes(size, seed) for seed, name in enumerate(ids, first)}
    masks = {
        f"tiny_{part}_GroundTruth/{name}_segmentation.png": random_bytes(200, seed) for seed, name in enumerate(ids)
    }
    return {
        f"tiny_{part}_Input.zip": make_zip(images | {f"tiny_{part}_Input/LICENSE.txt": b"CC-0"}),
        f"tiny_{part}_GroundTruth.zip": make_zip(masks | {f"__MACOSX/tiny_{part}_GroundTruth/._x.png": b"stub"}),
    }


@dataclass
class TinySet:
    """A set of two splits, and the catalog that has it.

    Attributes:
        catalog: The table.
        archives: Content of its files, by name.
        images: Content of its pictures, by name.
        masks: Content of its masks, by name.
    """

    catalog: Path
    archives: dict[str, bytes]
    images: dict[str, bytes]
    masks: dict[str, bytes]


def describe_file(name: str, content: bytes, part: str, holds: str) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    return (
        f'[[tiny.files]]\nname = "{name}"\npart = "{part}"\nholds = "{holds}"\nsize = {len(content)}\n'
        f'sha256 = "{sha256}"\n'
    )


@pytest.fixture
def make_set(server, tmp_path):
    """A function that makes a set with 3 pictures to train and 2 to test, and serves it."""

    def make(size: int = 5_000, addresses: tuple[str, ...] = (), spoil: str = "") -> TinySet:
        archives = make_part("Training", 0, 3, size) | make_part("Test", 3, 2, size)
        if spoil:
            archives[spoil] = b"PK\3\4 and no more"
        table = (
            '[tiny]\ntitle = "Tiny"\ncontents = "noise"\nlicence = "CC0-1.0"\nattribution = "Somebody"\n'
            'citation = "Somebody A. A paper. 2018."\nsplits = { train = 3, test = 2 }\n'
            f"bases = {list(addresses) or [server.url + '/']}\n"
        )
        for name, content in archives.items():
            part = "train" if "Training" in name else "test"
            table += describe_file(name, content, part, "images" if "Input" in name else "masks")
            server.files[f"/{name}"] = Resource(content)
        catalog = tmp_path / "catalog.toml"
        catalog.write_text(table)
        made = TinySet(catalog, archives, {}, {})
        for name, content in archives.items():
            if name == spoil:
                continue
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for member in archive.namelist():
                    if member.endswith(("jpg", "segmentation.png")):
                        place = made.images if "Input" in name else made.masks
                        place[Path(member).name] = archive.read(member)
        return made

    return make


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder that are not hidden."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


@pytest.fixture
def program(tmp_path):
    """The command line and the environment of the real program, with a cache of the test's own."""

    def command(*arguments: str | Path, **variables: str) -> dict[str, object]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LESIONCTL_")}
        own = {"HOME": str(tmp_path), "COLUMNS": "120", "LESIONCTL_CACHE_DIR": str(tmp_path / "cache")}
        return {
            "args": [sys.executable, "-m", "lesionctl", *map(str, arguments)],
            "env": clean | own | variables,
            "cwd": tmp_path,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
        }

    return command


@pytest.fixture
def run_program(program):
    """Run the real program to its end."""

    def run(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(**program(*arguments, **variables), timeout=60, check=False)

    return run
