"""`tensorboard/`: the figures of each epoch as TensorBoard's scalars. Importing this needs the extra."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import RecordWriter
from tensorboardX.summary import scalar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lesionctl.train.record.rows import Row

_VERSION = "brain.Event:2"  # of the format; from it on, readers heed a session's start


class Scalars:
    """Writes the scalars of a run: a file for each process that worked on it, numbered, so that it names no host.

    Each epoch is on disk when `add` returns.

    Args:
        folder: Where the files go; made with the first epoch.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: RecordWriter | None = None

    def add(self, history: Sequence[Row]) -> None:
        """Add the newest epoch; all of them where there are no files of the run yet.

        Args:
            history: One row for each epoch.
        """
        rows = history[-1:]
        if self._writer is None:
            self._folder.mkdir(exist_ok=True)
            files = len(list(self._folder.glob("events.out.tfevents.*")))
            if not files:
                rows = history
            self._writer = RecordWriter(str(self._folder / f"events.out.tfevents.{files:06d}"))
            _put(self._writer, file_version=_VERSION)
            # What an earlier process wrote of this epoch, before it was killed, is void.
            _put(self._writer, step=int(rows[0]["epoch"]), session_log=SessionLog(status=SessionLog.START))
        for row in rows:
            for name, value in row.items():
                if name != "epoch":
                    _put(self._writer, step=int(row["epoch"]), summary=scalar(_tag(name), value))
        self._writer.flush()


def _put(writer: RecordWriter, **values: Any) -> None:
    writer.write(Event(wall_time=time.time(), **values).SerializeToString())


def _tag(name: str) -> str:
    return name.replace("val_", "validation/", 1) if name.startswith("val_") else f"train/{name}"
