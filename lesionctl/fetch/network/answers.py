"""What servers say, and what is to be made of it."""

from __future__ import annotations

import ssl
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx2

from lesionctl.fetch.catalog import RemoteFile
from lesionctl.fetch.network.part import Origin

_PATIENCE = 10.0  # seconds; a size is good to know, and no more


def ask_size(client: httpx2.Client, file: RemoteFile) -> int | None:
    """Ask the file's servers how many bytes it has; None: none of them says so.

    One byte is asked for: signed addresses, to which some servers send their clients, do not answer HEAD.
    """
    for address in file.addresses:
        try:
            with client.stream("GET", address, headers={"Range": "bytes=0-0"}, timeout=_PATIENCE) as response:
                if response.status_code in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                    return origin_of(response, address).total
        except (httpx2.HTTPError, httpx2.InvalidURL):
            continue
    return None


def origin_of(response: httpx2.Response, address: str) -> Origin:
    """What the headers of an answer say of the whole file."""
    headers = response.headers
    tag = headers.get("ETag", "")
    validator = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")
    if response.status_code == HTTPStatus.OK:
        length = headers.get("Content-Length", "")
    else:
        length = headers.get("Content-Range", "").rpartition("/")[2]
    return Origin(address, validator, int(length) if length.isdecimal() else None)


def retry_after(response: httpx2.Response) -> float | None:
    """Seconds that a busy server asks for."""
    text = response.headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def with_phrase(status: int) -> str:
    """Such as `503 Service Unavailable`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def in_words(error: httpx2.TransportError, timeout: float) -> str:
    """What a server did that could not be spoken with.

    Args:
        error: What became of the attempt.
        timeout: Seconds after which it was given up.
    """
    if isinstance(error, httpx2.TimeoutException):
        return f"was silent for {timeout:g} s"
    if isinstance(error, httpx2.ProxyError):
        return f"cannot be reached through the proxy ({error})"
    if isinstance(error, httpx2.ConnectError):
        return f"cannot be reached ({error})"
    return f"broke off the connection ({error})"


def is_distrust(error: BaseException | None) -> bool:
    """Whether an untrusted certificate is behind the error."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
