"""Every event is a line of JSON, whatever happened to the process before."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path

from lesionctl.train.record.log import append_event


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_events_are_appended_with_their_time(tmp_path):
    path = tmp_path / "log.jsonl"
    append_event(path, "begin", {"epoch": 1})
    append_event(path, "stop", {"signal": "SIGTERM", "step": 7})
    first, second = read(path)
    assert (first["event"], first["epoch"]) == ("begin", 1)
    assert (second["event"], second["signal"], second["step"]) == ("stop", "SIGTERM", 7)
    times = [datetime.fromisoformat(line["time"]) for line in (first, second)]
    assert times == sorted(times)
    assert 0 <= (datetime.now(UTC) - times[0]).total_seconds() < 60


def test_torn_line_of_a_killed_process_spoils_no_other(tmp_path):
    path = tmp_path / "log.jsonl"
    append_event(path, "begin", {})
    whole = path.read_bytes()
    append_event(path, "epoch", {"epoch": 1})
    torn = path.read_bytes()[:-9]
    path.write_bytes(torn)
    append_event(path, "begin", {"epoch": 2})
    assert path.read_bytes().startswith(torn + b"\n")
    lines = path.read_text().splitlines()
    assert len(lines) == 3
    assert lines[0] + "\n" == whole.decode()
    assert json.loads(lines[2])["epoch"] == 2


def test_values_that_json_does_not_know_become_text(tmp_path):
    append_event(tmp_path / "log.jsonl", "nan", {"loss": math.nan, "rate": math.inf, "model": Path("m")})
    [line] = read(tmp_path / "log.jsonl")
    assert (line["loss"], line["rate"], line["model"]) == ("nan", "inf", "m")
