"""Proxies and certificate authorities from the environment."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from lesionctl.errors import BadFile, LesionctlError
from lesionctl.fetch.network.client import open_client

from ..conftest import CA_VARIABLES, Resource, random_bytes, remote_file

CONTENT = random_bytes(50_000)
DEAD = "http://127.0.0.1:9"


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_files_come_through_the_proxy_of_the_environment(server, download, monkeypatch, variable):
    monkeypatch.setenv(variable, server.url)
    server.files["/a.zip"] = Resource(CONTENT)
    path, _ = download(remote_file(CONTENT, "http://files.example.invalid/a.zip"))["a.zip"]
    assert path.read_bytes() == CONTENT
    assert [request.target for request in server.log] == ["http://files.example.invalid/a.zip"]


def test_no_proxy_leads_past_it(server, download, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", DEAD)
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    server.files["/a.zip"] = Resource(CONTENT)
    path, _ = download(remote_file(CONTENT, f"{server.url}/a.zip"))["a.zip"]
    assert path.read_bytes() == CONTENT
    assert [request.target for request in server.log] == ["/a.zip"]


def test_a_proxy_that_is_dead_is_named(server, download, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", DEAD)
    outcome = download(remote_file(CONTENT, f"{server.url}/a.zip"))["a.zip"]
    assert isinstance(outcome, BadFile)
    assert "cannot be reached" in outcome.reason
    assert server.log == []


@pytest.mark.parametrize("url", ["ftp://proxy.example:1", "socks4://proxy.example:1"])
def test_a_proxy_that_cannot_be_used_is_named(monkeypatch, url):
    monkeypatch.setenv("HTTPS_PROXY", url)
    with pytest.raises(LesionctlError, match="proxy that the environment names cannot be used") as raised:
        open_client(1)
    assert "HTTPS_PROXY" in raised.value.hint


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate that vouches for 127.0.0.1 and for itself; its key; and a folder that OpenSSL finds it in."""
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl command")
    folder = tmp_path_factory.mktemp("ca")
    certificate, key = folder / "ca.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", key, "-out", certificate, "-subj", "/CN=127.0.0.1", "-days", "2"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    digest = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", certificate], check=True, capture_output=True, text=True
    ).stdout.strip()
    (folder / "certs").mkdir()
    shutil.copy(certificate, folder / "certs" / f"{digest}.0")
    return certificate, key


@pytest.fixture
def tls_server(server, authority):
    server.speak_tls(*authority)
    server.files["/a.zip"] = Resource(CONTENT)
    return server


@pytest.mark.parametrize("variable", CA_VARIABLES)
def test_an_authority_of_the_environment_is_trusted(tls_server, authority, download, monkeypatch, variable):
    certificate, _ = authority
    monkeypatch.setenv(variable, str(certificate.parent / "certs" if variable == "SSL_CERT_DIR" else certificate))
    path, _ = download(remote_file(CONTENT, f"{tls_server.url}/a.zip"))["a.zip"]
    assert path.read_bytes() == CONTENT


def test_openssls_own_variables_go_before_the_others(tls_server, authority, download, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[0]))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    assert download(remote_file(CONTENT, f"{tls_server.url}/a.zip"))["a.zip"][1].size == 50_000


def test_a_bundle_may_be_a_folder(tls_server, authority, download, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority[0].parent / "certs"))
    assert download(remote_file(CONTENT, f"{tls_server.url}/a.zip"))["a.zip"][1].size == 50_000


def test_a_stranger_is_not_trusted_and_not_asked_twice(tls_server, download):
    said = []
    outcome = download(remote_file(CONTENT, f"{tls_server.url}/a.zip"))["a.zip"]
    assert "has a certificate that is not trusted" in outcome.reason
    assert "SSL_CERT_FILE" in outcome.reason
    assert said == tls_server.log == []


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_used_are_named(tmp_path, monkeypatch, variable, content):
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    monkeypatch.setenv(variable, str(path))
    with pytest.raises(LesionctlError, match=f"the certificates in {path} cannot be used"):
        open_client(1)
