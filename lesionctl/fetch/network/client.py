"""The HTTP client: with the proxies and certificate authorities that the environment names."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import httpx2

from lesionctl import __version__
from lesionctl.errors import LesionctlError


def open_client(timeout: float) -> httpx2.Client:
    """A client that follows redirects, and may be used by several threads.

    HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY are honoured. Servers are asked for files as they are: a file that
    is compressed on its way cannot be resumed.

    Args:
        timeout: Seconds to wait for a connection, or for the next byte.

    Raises:
        LesionctlError: The environment names a proxy or certificates that cannot be used.
    """
    try:
        return httpx2.Client(
            verify=_trusted(),
            timeout=timeout,
            follow_redirects=True,
            headers={"User-Agent": f"lesionctl/{__version__}", "Accept-Encoding": "identity"},
        )
    except ImportError as error:
        raise LesionctlError(
            "the environment names a SOCKS proxy, which needs the package 'socksio'", hint="pip install socksio"
        ) from error
    except (ValueError, httpx2.InvalidURL) as error:
        raise LesionctlError(
            f"the proxy that the environment names cannot be used: {error}",
            hint="it is set by HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, and has the form http://host:port",
        ) from error


def _trusted() -> ssl.SSLContext | bool:
    """Whose certificates are good: those that the environment names, else the system's.

    SSL_CERT_FILE and SSL_CERT_DIR, which OpenSSL reads, go before the one bundle that requests and curl read.

    Raises:
        LesionctlError: What the environment names cannot be read, or holds no certificates.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and not folder:
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        if not bundle:
            return True
        file, folder = (None, bundle) if Path(bundle).is_dir() else (bundle, None)
    try:
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except OSError as error:
        raise LesionctlError(
            f"the certificates in {file or folder} cannot be used ({error.strerror or error})",
            hint="the file is named by SSL_CERT_FILE, SSL_CERT_DIR, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE",
        ) from error
