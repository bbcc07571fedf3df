"""One file's way from its addresses into the cache: resumed, tried again, tried elsewhere, and verified."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import httpx2

from lesionctl.errors import BadFile
from lesionctl.fetch.cache import Cache
from lesionctl.fetch.catalog import RemoteFile
from lesionctl.fetch.checksums import Digests
from lesionctl.fetch.network.answers import in_words, is_distrust, origin_of, retry_after, with_phrase
from lesionctl.fetch.network.part import Part
from lesionctl.progress import Progress, Task, format_bytes

_HEADWAY = 256 * 1024  # bytes; an attempt that brought so many is no failure, however it ended
_BUSY = frozenset({408, 425, 429})  # beside 5xx: answers that may be others in a moment
_CONTENT_RANGE = re.compile(r"bytes (\d+)-")


@dataclass(frozen=True)
class Policy:
    """How hard to try.

    Attributes:
        connections: Files at once.
        retries: How often an address is tried again after attempts that brought nothing new.
        timeout: Seconds without an answer, or without a byte, after which a connection is given up.
        first_wait: Seconds before the first new try; they double with each, and vary by half.
        longest_wait: Seconds at most, whatever a server asks for.
    """

    connections: int = 4
    retries: int = 5
    timeout: float = 30.0
    first_wait: float = 1.0
    longest_wait: float = 120.0


class Stopped(Exception):
    """Somebody asked the downloads to stop."""


class _TryAgain(Exception):
    """This attempt failed; another one may not.

    Args:
        reason: What happened.
        wait: Seconds that the server asks for.
    """

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class _Refused(Exception):
    """This address does not have the file."""


class Download:
    """The way of one file into the cache.

    Args:
        file: As the catalog has it.
        cache: Where it goes.
        client: Asks the servers.
        policy: How hard to try.
        stop: Once set, the download stops; what has come is kept.
        progress: Hears of tries that failed.
        task: Advances by every byte; goes back where bytes have to come again.

    Attributes:
        file: As the catalog has it.
    """

    def __init__(
        self,
        file: RemoteFile,
        cache: Cache,
        client: httpx2.Client,
        policy: Policy,
        stop: Event,
        progress: Progress,
        task: Task,
    ) -> None:
        self.file = file
        self._cache = cache
        self._client = client
        self._policy = policy
        self._stop = stop
        self._progress = progress
        self._task = task

    def run(self) -> tuple[Path, Digests]:
        """Bring the file in, or find that another job has done so.

        Returns:
            The file in the cache, and what it is known by.

        Raises:
            BadFile: No address has it; the reason tells what each of them did.
            Stopped: Somebody asked for it.
            OSError: The disk is full, or the cache cannot be written to.
        """
        with self._cache.lock(self.file, self._wait_for_other_job):
            try:
                found = self._cache.find(self.file)
            except BadFile:
                self._cache.drop(self.file)
                found = None
            if found:
                self._task.advance(found[1].size)
                return found
            with Part(self._cache.part(self.file)) as part:
                part.read(lambda _: self._check())
                if part.size:
                    self._progress.say(f"{self.file.name}: going on after {format_bytes(part.size)}")
                digests = self._from_any_address(part)
                part.finish(self._cache.path(self.file))
            self._cache.remember(self.file, digests)
        return self._cache.path(self.file), digests

    def _wait_for_other_job(self, first: bool) -> None:
        self._check()
        if first:
            self._progress.say(f"{self.file.name}: another job is loading it; waiting for that")

    def _from_any_address(self, part: Part) -> Digests:
        """Fill the part from the first address that has the file."""
        reasons = []
        for address in self.file.addresses:
            try:
                return self._from_address(address, part)
            except _Refused as refused:
                reasons.append(f"{_host(address)} {refused}")
        raise BadFile(self.file.name, "; ".join(reasons))

    def _from_address(self, address: str, part: Part) -> Digests:
        """Fill the part from one address, and verify it; tried again as long as that promises something.

        Raises:
            _Refused: This address does not have the file.
        """
        farthest, failures, rebuilt = part.size, 0, False
        while True:
            try:
                if not self._is_complete(part):
                    self._progress.detail(f"{self.file.name}: asking {address} for what follows {part.size:,} bytes")
                    self._attempt(address, part)
            except _TryAgain as failure:
                failures = 1 if part.size >= farthest + _HEADWAY else failures + 1
                farthest = max(farthest, part.size)
                if failures > self._policy.retries:
                    raise _Refused(f"{failure} ({failures} times)") from failure
                self._pause(address, failure, failures)
                continue
            reason = part.digests().why_not(self.file)
            if reason is None:
                return part.digests()
            # The pieces may be those of two files, though this address has the right one.
            can_be_rebuilt = part.in_pieces and not rebuilt
            self._throw_away(part)
            if not can_be_rebuilt:
                raise _Refused(f"sends another file: {reason}")
            self._progress.say(f"{self.file.name}: what came in pieces is not the file ({reason}); loading it anew")
            farthest, rebuilt = 0, True

    def _attempt(self, address: str, part: Part) -> None:
        """Ask for what is missing, and take what comes.

        Raises:
            _TryAgain: It broke off, or the server is busy.
            _Refused: The address does not have the file.
        """
        try:
            with self._client.stream("GET", address, headers=self._range_headers(address, part)) as response:
                self._begin(response, address, part)
                expected = self._expected(part)
                for chunk in response.iter_raw():
                    self._check()
                    part.append(chunk)
                    self._task.advance(len(chunk))
                    if expected is not None and part.size > expected:
                        self._throw_away(part)
                        raise _Refused(f"sends more than the {expected} bytes of the file")
        except (httpx2.TooManyRedirects, httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
            raise _Refused(f"leads nowhere ({error})") from error
        except httpx2.TransportError as error:
            if is_distrust(error):
                hint = "SSL_CERT_FILE can name the authorities of your own network"
                raise _Refused(f"has a certificate that is not trusted ({error}; {hint})") from error
            raise _TryAgain(in_words(error, self._policy.timeout)) from error
        if expected is not None and part.size < expected:
            raise _TryAgain(f"ended after {part.size} of {expected} bytes")

    def _range_headers(self, address: str, part: Part) -> dict[str, str]:
        """What asks for the rest of the file alone, where the answer can be told to belong to what is here."""
        if not part.size:
            return {}
        rest = {"Range": f"bytes={part.size}-"}
        if part.origin and part.origin.address == address and part.origin.validator:
            return rest | {"If-Range": part.origin.validator}
        return rest if self.file.checksums else {}

    def _begin(self, response: httpx2.Response, address: str, part: Part) -> None:
        """See whether the answer's bytes are the file's, from where on, and make the part ready for them.

        Raises:
            _TryAgain: They are not, but those of another answer may be.
            _Refused: This address does not have the file.
        """
        status = response.status_code
        origin = origin_of(response, address)
        if status in _BUSY or status >= 500:
            raise _TryAgain(f"answers {with_phrase(status)}", wait=retry_after(response))
        if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
            raise _Refused(f"answers {with_phrase(status)}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise _Refused(f"sends the file as {response.headers['Content-Encoding']}, which it was asked not to do")
        if self.file.exact and origin.total not in (None, self.file.size):
            raise _Refused(f"offers {origin.total} bytes, not {self.file.size}")
        if status == HTTPStatus.OK:
            self._throw_away(part)
            part.restart(origin)
            return
        start = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
        fits = part.origin is None or not part.origin.differs_from(origin)
        if status != HTTPStatus.PARTIAL_CONTENT or not start or start[1] != str(part.size) or not fits:
            self._throw_away(part)
            raise _TryAgain("does not send the rest of what has come; all of it is loaded again", wait=0)
        part.in_pieces, part.origin = True, part.origin or origin

    def _expected(self, part: Part) -> int | None:
        """Bytes of the whole file, if anybody said so."""
        return self.file.size if self.file.exact else part.origin.total if part.origin else None

    def _is_complete(self, part: Part) -> bool:
        """Whether the part has all bytes already: the program was stopped at the last moment."""
        return part.size > 0 and part.size == self._expected(part)

    def _throw_away(self, part: Part) -> None:
        self._task.advance(-part.size)
        part.restart(None)

    def _pause(self, address: str, failure: _TryAgain, failures: int) -> None:
        """Wait before the next try: longer each time, not all jobs at once, or as long as the server asks for."""
        wait = failure.wait
        if wait is None:
            wait = self._policy.first_wait * 2 ** (failures - 1) * random.uniform(0.5, 1.5)
        wait = min(wait, self._policy.longest_wait)
        again = f"trying again in {wait:.0f} s" if wait >= 1 else "trying again"
        self._progress.say(f"{self.file.name}: {_host(address)} {failure}; {again}")
        if self._stop.wait(wait):
            raise Stopped

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped


def _host(address: str) -> str:
    """The server of an address; a password that the address may hold is for nobody to see."""
    return urlsplit(address).netloc.rpartition("@")[2]
