"""What to cite: one table, `citations.toml`, for the sets, the networks, the figures and the statistics."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TABLE = Path(__file__).parent / "citations.toml"


@dataclass(frozen=True)
class Citation:
    """A paper, or a program that asks to be cited.

    Attributes:
        authors: `Surname I, Surname I`.
        title: Its title.
        venue: Where it appeared, with volume and pages.
        year: When.
        doi: Its DOI; may be empty.
        arxiv: Its number at arXiv; may be empty.
    """

    authors: str
    title: str
    venue: str
    year: int
    doi: str = ""
    arxiv: str = ""

    @property
    def words(self) -> str:
        """The line of a reference list, without numbers that say where it can be read."""
        stop = "" if self.title.endswith((".", "?", "!")) else "."
        return f"{self.authors}. {self.title}{stop} {self.venue}, {self.year}."

    @property
    def text(self) -> str:
        """The line of a reference list, with its DOI and its number at arXiv."""
        numbers = [f"doi:{self.doi}" if self.doi else "", f"arXiv:{self.arxiv}" if self.arxiv else ""]
        return " ".join([self.words, *(f"{number}." for number in numbers if number)])

    @property
    def address(self) -> str:
        """Where it can be read; empty where it has neither a DOI nor a number at arXiv."""
        if self.doi:
            return f"https://doi.org/{self.doi}"
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else ""


@cache
def load_citations() -> Mapping[str, Citation]:
    """All that can be cited, by key."""
    tables = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return MappingProxyType({key: Citation(**table) for key, table in tables.items()})
