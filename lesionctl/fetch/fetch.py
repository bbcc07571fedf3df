"""Fetching: from the names of sets to folders that `prepare` takes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

from lesionctl.errors import Interrupted, LesionctlError, UsageError
from lesionctl.fetch.cache import hold
from lesionctl.fetch.catalog import DEMO, FetchSet
from lesionctl.fetch.haul import FetchedSet, Haul
from lesionctl.fetch.record import RECORD, SetRecord
from lesionctl.fetch.request import FetchOptions, Request, require_sense
from lesionctl.fetch.sets import fetch_sets
from lesionctl.fetch.terms import terms_of
from lesionctl.paths import set_directory
from lesionctl.progress import Progress, Silent


def fetch(
    requests: Sequence[Request],
    options: FetchOptions,
    *,
    encoders: Sequence[str] = (),
    progress: Progress | None = None,
) -> Haul:
    """Put sets on disk, and encoder weights into the cache. What is there already is not fetched again.

    A file that cannot be had does not stop the others.

    Args:
        requests: The sets.
        options: How to fetch.
        encoders: timm's names.
        progress: Hears of it; None: nobody does.

    Raises:
        UsageError: What is asked for makes no sense.
        LesionctlError: A disk is too small, or a folder cannot be written to.
        Interrupted: SIGINT or SIGTERM came; the same command goes on.
    """
    progress = progress or Silent()
    require_sense(requests, options)
    haul = Haul()
    with _stoppable():
        _fetch_encoders(encoders, options, progress, haul)
        for request in requests:
            if request.entry.name == DEMO:
                haul.total += 1
                haul.sets.append(_fetch_demo(request.entry, options, progress))
        fetch_sets([request for request in requests if request.entry.name != DEMO], options, progress, haul)
    return haul


def _fetch_encoders(names: Sequence[str], options: FetchOptions, progress: Progress, haul: Haul) -> None:
    if not names:
        return
    from lesionctl.fetch.encoder import fetch_encoder  # torch, which sets do without

    haul.total += len(names)
    for name in names:
        try:
            haul.encoders.append(fetch_encoder(name, progress, offline=options.offline))
        except UsageError:
            raise
        except LesionctlError as error:
            haul.errors[name] = error
        except OSError as error:
            haul.errors[name] = LesionctlError(f"the weights of '{name}' cannot be written ({error})")


def _fetch_demo(entry: FetchSet, options: FetchOptions, progress: Progress) -> FetchedSet:
    """Draw the demo, unless it lies there already as it is asked for.

    Raises:
        LesionctlError: Something else lies there, or it cannot be written to.
    """
    from lesionctl.fetch.demo import draw_demo  # OpenCV, which other sets do without

    directory = options.to or set_directory(DEMO)
    wanted = SetRecord(directory, DEMO, drawn={"count": options.count, "seed": options.seed})
    if SetRecord.read(directory) == wanted:
        progress.say(f"the demo lies in {directory} already: there is nothing to do")
        return FetchedSet(entry, directory, images=options.count, masks=options.count)
    if options.to and options.to.exists():
        raise LesionctlError(f"{options.to} exists already", hint="choose another name, or remove it")
    in_cache = options.to is None
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with hold(directory.parent / f".{DEMO}.lock", lambda _: None) if in_cache else nullcontext():
            if SetRecord.read(directory) != wanted:  # another job may have drawn it meanwhile
                draw_demo(
                    directory,
                    count=options.count,
                    seed=options.seed,
                    overwrite=in_cache,
                    texts={RECORD: wanted.text(), **terms_of(entry)},
                    progress=progress,
                )
    except OSError as error:
        raise LesionctlError(
            f"nothing can be written to {directory} ({error.strerror})", hint="name another folder with --to DIR"
        ) from error
    return FetchedSet(entry, directory, images=options.count, masks=options.count)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C for as long as the block lasts, and either as a request that is no failure.

    Raises:
        Interrupted: One of them came.
    """

    def on_signal(*_: object) -> None:
        raise KeyboardInterrupt

    in_main_thread = threading.current_thread() is threading.main_thread()  # Python takes signals nowhere else
    before = signal.signal(signal.SIGTERM, on_signal) if in_main_thread else None
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted("stopped; what has come is kept", hint="the same command goes on from there") from error
    finally:
        if in_main_thread:
            signal.signal(signal.SIGTERM, before)
