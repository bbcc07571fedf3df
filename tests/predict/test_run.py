"""A whole run: what is told, what is made, and what comes of failures, stops and changed folders."""

from __future__ import annotations

import csv
import json
import os
import signal
from contextlib import contextmanager
from dataclasses import replace

import pytest

from lesionctl.errors import ExitCode, LesionctlError
from lesionctl.predict.jobs import Outputs, plan_jobs
from lesionctl.predict.manifest import Existing
from lesionctl.predict.run import RunOptions, run
from lesionctl.predict.shard import Shard


class Listener:
    """Remembers what it is told."""

    def __init__(self):
        self.said, self.tasks, self.steps = [], [], 0

    @contextmanager
    def task(self, description, total=None, *, unit="steps", done=0):
        self.tasks.append((description, total, done))
        yield self

    def advance(self, steps=1):
        self.steps += steps

    def say(self, message):
        self.said.append(message)

    def detail(self, message):
        pass


@pytest.fixture
def out(tmp_path):
    return tmp_path / "masks"


@pytest.fixture
def options(tmp_path):
    """Options with a table and polygons."""
    return RunOptions(csv=tmp_path / "rows.csv", polygons=tmp_path / "lesions.json")


def rows(options):
    with options.csv.open(newline="") as file:
        return list(csv.DictReader(file))


def test_all_is_made_shown_in_order_and_told(dark_is_lesion, plan, out, options):
    listener, shown = Listener(), []
    result = run(dark_is_lesion, plan(), out, options, progress=listener, show=shown.append)
    assert (result.pictures, result.masks, result.failures, result.stopped_by) == (5, 5, [], None)
    assert (result.error, result.interruption) == (None, None)
    assert [prediction.mask for prediction in shown] == [job.mask for job in plan()]
    assert (listener.tasks, listener.steps, listener.said) == ([("segmenting", 5, 0)], 5, [])
    assert len(rows(options)) == 5


def test_what_was_done_before_is_no_step_of_this_run(dark_is_lesion, plan, out, scans):
    run(dark_is_lesion, plan()[:3], out)
    os.utime(scans / "DEMO_0000001.jpg", ns=(1, 1))
    listener = Listener()
    result = run(dark_is_lesion, plan(), out, progress=listener)
    assert (listener.tasks, listener.steps) == ([("segmenting", 5, 2)], 3)
    assert listener.said == [
        "2 of 5 masks are there already",
        "1 of 5 pictures have changed since: their masks are made anew",
    ]
    assert result.masks == 5


def test_failures_are_counted_with_the_rest(dark_is_lesion, plan, out, scans):
    (scans / "DEMO_0000003.jpg").write_bytes(b"no picture")
    result = run(dark_is_lesion, plan(), out)
    assert result.masks == 4
    assert result.error.exit_code is ExitCode.SOME_INPUTS_FAILED
    assert result.error.what.startswith("1 of 5 inputs failed, the rest are done:")


def test_the_backend_is_part_of_how_a_mask_is_made(dark_is_lesion, plan, out):
    run(dark_is_lesion, plan(), out)
    dark_is_lesion.backend = "another"
    with pytest.raises(LesionctlError, match="of another model or other settings"):
        run(dark_is_lesion, plan(), out)


def test_another_model_s_rows_and_outlines_are_replaced_also_where_they_were_not_asked_for(
    dark_is_lesion, plan, out, options
):
    run(dark_is_lesion, plan(), out, options)
    before = json.loads(options.polygons.read_text())
    other = dark_is_lesion
    other.digest, other.spec = "ef" * 32, replace(other.spec, threshold=0.3)
    run(other, plan(), out, RunOptions(existing=Existing.REPLACE))  # neither table nor polygons
    seen = other.seen
    run(other, plan(), out, options)
    assert other.seen == seen
    assert {row["model_digest"] for row in rows(options)} == {"ef" * 32}
    content = json.loads(options.polygons.read_text())
    assert len(rows(options)) == len(content["images"]) == len(content["annotations"]) == 5
    larger = [one["area"] > two["area"] for one, two in zip(content["annotations"], before["annotations"], strict=True)]
    assert any(larger)


def test_nothing_is_read_again_that_the_files_hold(dark_is_lesion, plan, out, options, monkeypatch):
    run(dark_is_lesion, plan(), out)  # without measures
    run(dark_is_lesion, plan(), out, options)  # which are made of the pictures
    before = [path.read_bytes() for path in (options.csv, options.polygons)]
    for name in ("decode", "read_mask"):
        monkeypatch.setattr(f"lesionctl.predict.predict.{name}", None)
    assert run(dark_is_lesion, plan(), out, options).masks == 5
    assert [path.read_bytes() for path in (options.csv, options.polygons)] == before


def test_another_spelling_of_the_same_pictures_is_no_other_picture(dark_is_lesion, plan, out, options, monkeypatch):
    run(dark_is_lesion, plan(), out, options)
    monkeypatch.chdir(out.parent)
    jobs = plan_jobs([(job.image.relative_to(out.parent), job.place) for job in plan()], out.relative_to(out.parent))
    seen = dark_is_lesion.seen
    run(dark_is_lesion, jobs, out.relative_to(out.parent), options)
    assert dark_is_lesion.seen == seen
    assert [row["image"] for row in rows(options)] == [str(job.image) for job in jobs]
    names = [image["file_name"] for image in json.loads(options.polygons.read_text())["images"]]
    assert names == [str(job.image) for job in jobs]


def test_a_signal_ends_it_and_the_same_call_goes_on(dark_is_lesion, plan, out, options, scans):
    for number in range(30):
        (scans / f"more {number}.jpg").write_bytes((scans / "DEMO_0000000.jpg").read_bytes())
    options = replace(options, batch_size=1)
    stop = lambda _: os.kill(os.getpid(), signal.SIGTERM)  # noqa: E731
    first = run(dark_is_lesion, plan(), out, options, show=stop)
    assert 0 < first.masks < 35
    assert first.interruption.exit_code is ExitCode.INTERRUPTED
    assert first.interruption.what == f"stopped by SIGTERM: {first.masks} of 35 pictures have their masks"
    assert len(rows(options)) == first.masks == len(list(out.glob("*.png")))
    # The next one is stopped while it shows what was done before: all masks are still counted, and all rows kept.
    second = run(dark_is_lesion, plan(), out, options, show=stop)
    assert second.masks >= first.masks
    assert second.interruption is not None
    assert run(dark_is_lesion, plan(), out, options).masks == 35
    assert len(rows(options)) == 35


def test_a_share_names_its_files_and_what_else_was_killed_of_its_own_is_removed(dark_is_lesion, plan, out, options):
    out.mkdir()
    jobs = plan(outputs=Outputs(overlay=True))
    run(dark_is_lesion, jobs[:2], out, replace(options, shard=Shard(1, 2)))
    run(dark_is_lesion, jobs[2:], out, replace(options, shard=Shard(2, 2)))
    assert sorted(path.name for path in out.parent.glob("rows*")) == ["rows.1-of-2.csv", "rows.2-of-2.csv"]
    assert run(dark_is_lesion, jobs, out).masks == 5  # what shares made is known to all


def test_two_runs_at_once_are_refused(dark_is_lesion, plan, out):
    def again(_):
        with pytest.raises(LesionctlError, match="another process is writing"):
            run(dark_is_lesion, plan(), out)

    assert run(dark_is_lesion, plan(), out, show=again).masks == 5
