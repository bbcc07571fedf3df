"""What a person asks to be fetched, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lesionctl.errors import UsageError
from lesionctl.fetch.catalog import DEMO, Catalog, FetchSet, find_set
from lesionctl.fetch.network.download import Policy


@dataclass(frozen=True)
class Request:
    """A set, or some parts of it.

    Attributes:
        entry: The set.
        parts: Its parts; none: all of them.
    """

    entry: FetchSet
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class FetchOptions:
    """How to fetch.

    Attributes:
        to: Where a set goes; None: into the cache, where `prepare` finds it by its name.
        masks_only: Leave the pictures out.
        sources: Take the files from these paths, and download nothing.
        offline: Take the files from the cache, and download nothing.
        drop_archives: Remove each archive from the cache once it is unpacked.
        policy: How hard to try to download.
        count: For the demo: how many pictures to draw.
        seed: For the demo: same seed, same files.
    """

    to: Path | None = None
    masks_only: bool = False
    sources: tuple[Path, ...] = ()
    offline: bool = False
    drop_archives: bool = False
    policy: Policy = field(default_factory=Policy)
    count: int = 24
    seed: int = 0


def parse_requests(catalog: Catalog, names: Sequence[str]) -> list[Request]:
    """Read names such as `isic2018` and `isic2018:train`; parts of one set are put together.

    Raises:
        UsageError: There is no such set, or it has no such part.
    """
    parts: dict[str, list[str]] = {}
    for name in names:
        set_name, _, part = name.partition(":")
        find_set(catalog, set_name).select([part] if part else [])
        parts.setdefault(set_name, []).append(part)
    return [
        Request(catalog[set_name], () if "" in wanted else tuple(dict.fromkeys(wanted)))
        for set_name, wanted in parts.items()
    ]


def require_sense(requests: Sequence[Request], options: FetchOptions) -> None:
    """See that the options go together.

    Raises:
        UsageError: They do not.
    """
    if options.to and len(requests) > 1:
        raise UsageError("--to takes one set", hint="fetch them one by one, or without --to into the cache")
    if any(request.entry.name == DEMO for request in requests):
        if options.masks_only:
            raise UsageError("the demo is drawn with its pictures: leave --masks-only out")
        if options.sources:
            raise UsageError("the demo is drawn, not unpacked: leave --from out")
