"""What is done where the official splits of sets overlap."""

from __future__ import annotations

from enum import StrEnum


class Overlap(StrEnum):
    """What to do where official splits share pictures, lesions or patients."""

    REFUSE = "refuse"
    """Stop, and say how many."""
    TEST = "test"
    """Keep the test pictures; leave their doubles out of training and validation."""
    TRAIN = "train"
    """Keep the training pictures; leave their doubles out of test and validation."""
