"""What is done so far, on disk: a line for each pair, so that a later run goes on where this one was killed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionctl.prepare.audit import Examination
from lesionctl.prepare.findings import Finding, Kind
from lesionctl.prepare.fingerprint import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.prepare.sources import Record

_FORMAT = 1
_NAME = "journal.jsonl"


class Journal:
    """The examinations and findings of an audit, in the order of its records.

    Lines are kept back until `checkpoint`, which the caller calls once the rows of the store that they speak of are
    written: a line on disk has its row, unless the machine itself failed.

    Args:
        directory: Where it lies, with whatever else an earlier run left of its work.
        work: What identifies the work; a journal of other work is begun anew.
    """

    def __init__(self, directory: Path, work: str) -> None:
        self.path = directory / _NAME
        self.entries: list[Examination | Finding] = []
        self._work = work
        self._pending: list[str] = []
        end = self._read()
        if end:
            self._file = self.path.open("r+b")
            self._file.seek(end)
            self._file.truncate()
        else:
            self._begin()

    def begin_anew(self) -> None:
        """Forget everything, and remove every other file of the directory too."""
        self._file.close()
        self._begin()

    def _begin(self) -> None:
        for path in self.path.parent.iterdir():
            path.unlink()
        self.entries = []
        self._file = self.path.open("w+b")
        self._file.write((json.dumps({"format": _FORMAT, "work": self._work}) + "\n").encode())

    @property
    def examinations(self) -> list[Examination]:
        """What could be used, in order: one for each row of the store."""
        return [entry for entry in self.entries if isinstance(entry, Examination)]

    def add(self, entry: Examination | Finding) -> None:
        """Add what came of the next record."""
        self.entries.append(entry)
        self._pending.append(json.dumps(_to_json(entry)) + "\n")

    def checkpoint(self) -> None:
        """Write what was added."""
        self._file.write("".join(self._pending).encode())
        self._file.flush()
        self._pending.clear()

    def close(self) -> None:
        """Write what was added and close the file."""
        self.checkpoint()
        self._file.close()

    def remove(self) -> None:
        """Delete the file, once it is closed."""
        self.path.unlink()

    def _read(self) -> int:
        """Read the whole lines of an earlier run of the same work; returns where they end in the file."""
        if not self.path.is_file():
            return 0
        end = 0
        with self.path.open("rb") as file:
            try:
                first = file.readline()
                if not first.endswith(b"\n") or json.loads(first) != {"format": _FORMAT, "work": self._work}:
                    return 0
                end = file.tell()
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self.entries.append(_from_json(json.loads(line)))
                    end += len(line)
            except (ValueError, KeyError, TypeError):  # cut off, or damaged: what stands before is good
                pass
        return end


def identify_work(records: Sequence[Record], *settings: Any) -> str:
    """SHA-256, in hex, over the settings and over names, sizes and times of all files: the same work, or other work."""
    digest = hashlib.sha256(repr(settings).encode())
    for record in records:
        line = [record.source, record.id]
        for path in (record.image, record.mask):
            try:
                status = path.stat()
                line += [str(path.resolve()), str(status.st_size), str(status.st_mtime_ns)]
            except OSError:
                line += [str(path), "missing"]
        digest.update(("\t".join(line) + "\n").encode())
    return digest.hexdigest()


def _to_json(entry: Examination | Finding) -> dict[str, Any]:
    if isinstance(entry, Finding):
        return {"finding": {**asdict(entry), "path": str(entry.path)}}
    values = dict(vars(entry))
    values["perceptual_hash"] = entry.perceptual_hash.tobytes().hex()
    values["appearance"] = to_json(entry.appearance)
    return {"pair": values}


def _from_json(line: dict[str, Any]) -> Examination | Finding:
    if "finding" in line:
        values = line["finding"]
        return Finding(**{**values, "kind": Kind(values["kind"]), "path": Path(values["path"])})
    values = line["pair"]
    values["perceptual_hash"] = np.frombuffer(bytes.fromhex(values["perceptual_hash"]), np.uint64)
    values["appearance"] = from_json(values["appearance"])
    values["borders"] = tuple(values["borders"])
    return Examination(**values)
