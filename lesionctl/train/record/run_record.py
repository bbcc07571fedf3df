"""What a run leaves for people, beside its weights and its state."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lesionctl.atomic import write_text
from lesionctl.errors import MissingExtra
from lesionctl.train.record.config import write_config
from lesionctl.train.record.curves import write_curves
from lesionctl.train.record.environment import describe_run
from lesionctl.train.record.log import append_event
from lesionctl.train.record.metrics import write_metrics
from lesionctl.train.record.overlays import write_overlays

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lesionctl.runtime.device import Compute
    from lesionctl.train.options import TrainOptions
    from lesionctl.train.record.overlays import Judged
    from lesionctl.train.record.rows import Row
    from lesionctl.train.record.tensorboard import Scalars


class RunRecord:
    """The files of a run that people and their programs read; one process writes them.

    A run that is resumed goes on with the same files.

    Args:
        out: The run directory; it must exist when the first file is written.
        tensorboard: Whether to write TensorBoard's files too.

    Raises:
        MissingExtra: `tensorboard` is asked for and tensorboardX is not installed.
    """

    def __init__(self, out: Path, *, tensorboard: bool = False) -> None:
        self._out = out
        self._scalars = _open_scalars(out / "tensorboard") if tensorboard else None
        self._loss = ""

    def config(self, store: Path, options: TrainOptions, remarks: Sequence[str]) -> None:
        """Write `config.toml`, in the form that `--config` takes back: the options that apply to this run.

        Args:
            store: The prepared set.
            options: How the run trains.
            remarks: A line of comment each, above the rest.
        """
        self._loss = str(options.loss)
        write_config(self._out / "config.toml", store, options, remarks)

    def environment(self, compute: Compute, processes: int, teachers: Sequence[str] = ()) -> None:
        """Write `environment.json`, and the same into the log, which keeps it when the run goes on elsewhere.

        Args:
            compute: Where and in which precision this process computes.
            processes: How many train together.
            teachers: Files of the models that teach.
        """
        values = describe_run(compute, processes, teachers)
        write_text(self._out / "environment.json", json.dumps(values, indent=2) + "\n")
        self.event("environment", **values)

    def event(self, name: str, /, **values: object) -> None:
        """Append a line to `log.jsonl`: `time` (ISO 8601, UTC), `event`, then the values.

        A process that is killed may leave a torn line; the next event begins a line of its own.

        Args:
            name: What happened.
            values: What is known of it. What JSON does not know (a path, a NaN) becomes text.
        """
        append_event(self._out / "log.jsonl", name, values)

    def epoch(self, history: Sequence[Row]) -> None:
        """Write `metrics.csv` anew, and the newest epoch for TensorBoard if that is asked for.

        Args:
            history: One row for each epoch so far, at least one. Later rows may have other figures.
        """
        write_metrics(self._out / "metrics.csv", history)
        if self._scalars:
            self._scalars.add(history)

    def curves(self, history: Sequence[Row]) -> None:
        """Draw `curves.png`; call `config` before: it tells what the loss is called.

        Args:
            history: One row for each epoch, at least one.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        write_curves(self._out / "curves.png", history, self._loss)

    def overlays(self, epoch: int, pictures: Sequence[Judged]) -> None:
        """Paint `overlays/epoch-005.png`: validation pictures with their true and their predicted outline.

        Args:
            epoch: From 1.
            pictures: At least one; the first eight are painted.
        """
        write_overlays(self._out / "overlays" / f"epoch-{epoch:03d}.png", f"epoch {epoch}", pictures)


def _open_scalars(folder: Path) -> Scalars:
    try:
        from lesionctl.train.record.tensorboard import Scalars
    except ImportError as error:
        raise MissingExtra("tensorboardX", "tensorboard", "--tensorboard") from error
    return Scalars(folder)
