"""What came of measuring: rows with all their samples, to be shown, kept and compared later."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from lesionctl.bench.case import Case, What
from lesionctl.bench.machine import machine_cells
from lesionctl.bench.timing import Timing
from lesionctl.errors import BadFile, ExitCode, LesionctlError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1

Turns = tuple[tuple[float, ...], ...]
"""Seconds of each run, by turn."""


class SomeCasesFailed(LesionctlError):
    """Some of what was to be measured could not be; the rest is."""

    exit_code = ExitCode.SOME_INPUTS_FAILED


@dataclass(frozen=True)
class Row:
    """What came of one case.

    Attributes:
        case: What was measured.
        runs_on: What ran it, in which number format, on which device; empty where it could not run.
        reason: Why it could not run, or not to the end; empty where it could.
        digest: SHA-256 of the model's file.
        images: Pictures per run.
        turns: Seconds of each run, by turn, as the host sees it; the turn that warmed up is not among them.
        device_turns: Of the network alone on a GPU, seconds of each run as the device sees it: pictures are there
            already, and probabilities stay.
        first_turn: The number of its first turn: turns of the same number were taken side by side.
        start_seconds: From the start of its process to the first result.
        memory_mb: Highest memory of its process.
        device_memory_mb: Highest memory of tensors on its GPU; None on the CPU.
        work: What the network has to do, see `Work`.
        peak: Operations per second that the machine was measured to manage in this number format with as many threads;
            a multiplication and an addition are two.
        peak_measured: How that was measured, see `Peak`.
        share: How near the network comes to it, see `Share`.
        quality: How well the model finds the lesions of a store's test split, see `Quality`.
        largest: How many pictures fit the device at once (`batch`) and why no more (`reason`), from how many on more of
            them make it no faster (`best`), and the speeds that say so (`ladder`).
        feed: Of training, pictures per second that all processors together can vary, where they do nothing else.
    """

    case: Case
    runs_on: str = ""
    reason: str = ""
    digest: str = ""
    images: int = 0
    turns: Turns = ()
    device_turns: Turns = ()
    first_turn: int = 0
    start_seconds: float | None = None
    memory_mb: float | None = None
    device_memory_mb: float | None = None
    work: dict[str, Any] | None = None
    peak: float | None = None
    peak_measured: dict[str, Any] | None = None
    share: dict[str, Any] | None = None
    quality: dict[str, Any] | None = None
    largest: dict[str, Any] | None = None
    feed: float | None = None

    @property
    def timing(self) -> Timing | None:
        """The figures of its runs; None where there is none."""
        return Timing.of(self.turns, self.images) if self.turns else None

    @property
    def device_timing(self) -> Timing | None:
        """The figures of the runs as the device saw them; None where there is none."""
        return Timing.of(self.device_turns, self.images) if self.device_turns else None

    @property
    def parameters(self) -> int | None:
        """Numbers that the weights are."""
        return self.work["parameters"] if self.work else None

    @property
    def multiply_adds(self) -> int | None:
        """Of a picture."""
        return self.work["multiply_adds"] if self.work else None

    @property
    def file_bytes(self) -> int | None:
        """Size of the model's file."""
        return self.work["file_bytes"] if self.work else None

    @property
    def dice(self) -> float | None:
        """Mean over the pictures of a store's test split."""
        return self.quality["dice"] if self.quality else None

    @property
    def precision(self) -> str:
        """The number format that it ran in."""
        return self.runs_on.split()[1] if self.runs_on else str(self.case.precision)

    @property
    def name(self) -> str:
        """What ran, where and how: `torch fp32 cpu compiled`."""
        ran = self.runs_on or f"{self.case.backend} {self.case.precision} {self.case.device}"
        return " ".join([ran, *self.case.variant])

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms, with the figures that follow from it."""
        own = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "case"}
        timing, on_device = self.timing, self.device_timing
        return {
            "case": self.case.to_dict(),
            **own,
            "figures": timing and timing.to_dict(),
            "device_figures": on_device and on_device.to_dict(),
        }

    def to_cells(self) -> dict[str, Any]:
        """A line of a table: the same names for all rows, None for what is not known."""
        timing, on_device = self.timing, self.device_timing
        figures = dict.fromkeys(item.name for item in fields(Timing)) | (timing.to_dict() if timing else {})
        return {
            **self.case.to_dict(),
            "runs_on": self.runs_on,
            "reason": self.reason,
            **figures,
            "device_p50_ms": on_device.p50_ms if on_device else None,
            "start_seconds": self.start_seconds,
            "memory_mb": self.memory_mb,
            "device_memory_mb": self.device_memory_mb,
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "file_bytes": self.file_bytes,
            "share_of_operations": self.share["of_operations"] if self.share else None,
            "share_of_bandwidth": self.share["of_bandwidth"] if self.share else None,
            "dice": self.dice,
            "dice_pictures": self.quality["pictures"] if self.quality else None,
            "largest_batch": self.largest["batch"] if self.largest else None,
            "best_batch": self.largest["best"] if self.largest else None,
            "feed_images_per_second": self.feed,
            "model_sha256": self.digest,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Row:
        """From what `to_dict` gave."""
        known = {item.name for item in fields(cls)}
        own = {name: value for name, value in values.items() if name in known}
        for name in ("turns", "device_turns"):
            own[name] = tuple(tuple(turn) for turn in own[name])
        return cls(**{**own, "case": Case.from_dict(values["case"])})


@dataclass(frozen=True)
class BenchResult:
    """What came of a whole measuring.

    Attributes:
        environment: What it was measured on; see `describe_environment`.
        rows: In the order of the cases, those that could not run included.
        stages: Where the time of a prediction goes, a mapping for each case of which that was asked; see
            `lesionctl.bench.stages`.
        pictures: Which ones were predicted from, see `describe_pictures`; None where none were.
    """

    environment: dict[str, Any]
    rows: tuple[Row, ...]
    stages: tuple[dict[str, Any], ...] = field(default=())
    pictures: dict[str, Any] | None = None

    @property
    def failed(self) -> list[tuple[Case, str]]:
        """What could not be measured, or not to the end, and why."""
        split = [(Case.from_dict(each["case"]), each["reason"]) for each in self.stages if "reason" in each]
        return [(row.case, row.reason) for row in self.rows if row.reason] + split

    def base_of(self, row: Row) -> Row | None:
        """The first row that measured the same thing and could run: what others are compared with."""
        return next((other for other in self.rows if other.case.what is row.case.what and other.turns), None)

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms."""
        return {
            "schema": SCHEMA,
            "environment": self.environment,
            "cases": [row.to_dict() for row in self.rows],
            "stages": list(self.stages),
            "pictures": self.pictures,
        }

    def to_csv(self) -> str:
        """A table with a line for each row: figures and what they were measured on, without the samples."""
        machine = machine_cells(self.environment)
        lines = [row.to_cells() | machine for row in self.rows]
        text = io.StringIO()
        columns = Row(Case(What.NETWORK, "")).to_cells() | machine
        table = csv.DictWriter(text, list(columns), lineterminator="\n")
        table.writeheader()
        table.writerows(lines)
        return text.getvalue()

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BenchResult:
        """From what `to_dict` gave.

        Raises:
            KeyError: It is not of that form.
            TypeError: Likewise.
            ValueError: Likewise, or it is of another schema.
        """
        if values["schema"] != SCHEMA:
            raise ValueError(f"its schema is {values['schema']}, and {SCHEMA} is needed")
        rows = tuple(map(Row.from_dict, values["cases"]))
        return cls(values["environment"], rows, tuple(values["stages"]), values.get("pictures"))

    @classmethod
    def read(cls, path: Path) -> BenchResult:
        """From a file that holds what `bench --json` printed.

        Raises:
            BadFile: It cannot be read, or is no such file.
        """
        try:
            return cls.from_dict(json.loads(path.read_bytes()))
        except OSError as error:
            raise BadFile(path, f"cannot be read ({error.strerror})") from error
        except (KeyError, TypeError, ValueError) as error:
            raise BadFile(
                path, f"is not what 'lesionctl bench --json' printed ({error})", hint="bench --json > FILE makes one"
            ) from error
