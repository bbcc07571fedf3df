"""What can be fetched: one table."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from lesionctl.errors import UsageError
from lesionctl.fetch.demo import DemoSummary, draw_demo

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Entry:
    """A set of pictures with masks.

    Attributes:
        name: What it is called on the command line.
        contents: What it holds, in a few words.
        licence: Under what terms its pictures can be used.
        fetch: Puts it into a directory, which must not exist.
    """

    name: str
    contents: str
    licence: str
    fetch: Callable[..., DemoSummary]

    def to_dict(self) -> dict[str, Any]:
        """What a person may want to know of it, in JSON's forms."""
        return {"name": self.name, "contents": self.contents, "licence": self.licence}


CATALOG = [
    Entry(
        name="demo",
        contents="dermoscopy-like pictures with exact masks, drawn here, without a network",
        licence="MIT, as the program that draws them",
        fetch=draw_demo,
    ),
]


def find_set(name: str) -> Entry:
    """The entry of that name.

    Raises:
        UsageError: There is none.
    """
    entries = {entry.name: entry for entry in CATALOG}
    if name not in entries:
        near = get_close_matches(name, entries, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(entries)}"
        raise UsageError(f"there is no set named '{name}'", hint=hint)
    return entries[name]
