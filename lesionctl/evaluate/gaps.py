"""What is not known of some of the pictures: a person should hear of it, and the result says so too."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gap:
    """So many of the pictures lack something.

    Attributes:
        pictures: So many.
        of: Of so many.
        what: What they are: words that go on from "are", such as "not in table.csv".
    """

    pictures: int
    of: int
    what: str

    def __str__(self) -> str:
        """Such as `13 of 24 pictures are not in table.csv`."""
        return f"{self.pictures:,} of {self.of:,} pictures {'is' if self.pictures == 1 else 'are'} {self.what}"
