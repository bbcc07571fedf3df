"""What is measured: one thing, of one model, run in one way."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Protocol

from lesionctl.runtime.backend import Backend
from lesionctl.runtime.precision import Precision


class What(StrEnum):
    """What can be measured."""

    NETWORK = "network"
    """The network alone, from bytes in memory to probabilities in memory."""
    PREDICT_EACH = "predict each"
    """From picture file to mask file, one picture at a time."""
    PREDICT_ALL = "predict all"
    """From picture files to mask files, all in one go."""
    TRAIN = "train"
    """Steps of training: forward, loss, backward, optimiser."""
    STAGES = "stages"
    """Where the time of a prediction goes; it has no speed of its own."""


FROM_FILES = frozenset({What.PREDICT_EACH, What.PREDICT_ALL, What.STAGES})
"""What starts from picture files."""


@dataclass(frozen=True)
class Case:
    """A thing to measure.

    Attributes:
        what: What is measured.
        model: As a person named it.
        backend: What runs it, as it was asked for; AUTO is what `predict` would take.
        precision: Number format, as it was asked for.
        device: As it was asked for.
        batch_size: Pictures per run of the network.
        threads: Processors that it may use; what the program takes by itself where it is 0.
        compiled: Whether torch compiles the whole model.
        channels_last: Whether torch keeps pictures and weights with their channels last.
        size: Side of the network's square input, in pixels; the model's own where it is 0.
    """

    what: What
    model: str
    backend: Backend = Backend.AUTO
    precision: Precision = Precision.AUTO
    device: str = "auto"
    batch_size: int = 8
    threads: int = 0
    compiled: bool = False
    channels_last: bool = True
    size: int = 0

    @property
    def label(self) -> str:
        """How a message names it."""
        words = [self.what, self.model, self.backend, self.precision, f"batch {self.batch_size}", *self.variant]
        return " ".join(words)

    @property
    def variant(self) -> list[str]:
        """In what it differs from what `predict` does, in words."""
        return [
            *([f"at {self.size} px"] if self.size else []),
            *(["compiled"] if self.compiled else []),
            *([] if self.channels_last else ["contiguous"]),
            *([f"{self.threads} thread{'s' if self.threads > 1 else ''}"] if self.threads else []),
        ]

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms."""
        return {name: str(value) if isinstance(value, StrEnum) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Case:
        """From what `to_dict` gave, now or when there was no size to choose."""
        words = {
            "what": What(values["what"]),
            "backend": Backend(values["backend"]),
            "precision": Precision(values["precision"]),
        }
        return cls(**{**values, **words})


class Probe(Protocol):
    """A case, ready to be measured.

    Attributes:
        images: Pictures per run.
    """

    images: int

    def run(self) -> list[float]:
        """Run it a few times, some hundred milliseconds to a few seconds in all.

        Returns:
            The seconds of each run, every time as many.
        """
