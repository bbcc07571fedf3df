"""What to do with test pictures that the model has seen: an option, and nothing that takes long to import."""

from __future__ import annotations

from enum import StrEnum


class WhenSeen(StrEnum):
    """What to do with pictures that the model has seen in training."""

    REFUSE = "refuse"
    """Score nothing where one of them would be called a test."""
    MARK = "mark"
    """Score them with the others; the result says so."""
    SKIP = "skip"
    """Leave them out; the result says how many."""
