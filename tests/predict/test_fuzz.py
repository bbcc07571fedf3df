"""Damaged files by the thousand: each is predicted, or named with its reason; none crashes, hangs or is half done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionctl.imaging.masks import read_mask

PROGRAM = Path(__file__).parents[1] / "fuzzing.py"
COUNT = int(os.environ.get("LESIONCTL_TEST_FUZZ", "300"))  # 5000 for the whole
SECONDS_FOR_EIGHT = 120  # of processor time: among them may be a whole picture of nearly 300 megapixels
MEGABYTES = 4000


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run over damaged files, and what came of each."""
    folder = tmp_path_factory.mktemp("fuzz")
    command = [sys.executable, str(PROGRAM), str(folder), "--count", str(COUNT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 + COUNT)
    outcomes = (folder / "outcomes.jsonl").read_text().splitlines()
    assert done.returncode == 0, f"after {len(outcomes)} files: {done.stderr[-3000:]}"
    assert "Warning" not in done.stderr  # libtiff alone writes to stderr by itself: a line for what it could not undo
    return folder, [json.loads(line) for line in outcomes]


def test_every_file_has_an_outcome(run):
    folder, outcomes = run
    pictures = sorted(str(path) for path in (folder / "pictures").iterdir())
    assert [outcome["image"] for outcome in outcomes] == pictures
    assert len(pictures) >= COUNT + 27  # the valid ones are among them


def test_valid_files_are_predicted_at_their_upright_size(run):
    _, outcomes = run
    valid = {Path(outcome["image"]).stem: outcome for outcome in outcomes if Path(outcome["image"]).stem[:2] == "0-"}
    turned = {"0-jpeg", "0-png", "0-tiff", "0-webp", "0-avif"}  # their EXIF orientation is 6
    for name, outcome in valid.items():
        assert "reason" not in outcome, (name, outcome)
        assert (outcome["width"], outcome["height"]) == ((43, 59) if name in turned else (59, 43)), name
        assert 0.05 < read_mask(Path(outcome["mask"]), strict=True).mean() < 0.3, name


def test_every_failure_has_a_reason_of_one_short_line_and_no_mask(run):
    _, outcomes = run
    failures = [outcome for outcome in outcomes if "reason" in outcome]
    assert len(failures) > COUNT / 4
    for failure in failures:
        assert failure["failed"] == failure["image"]
        assert failure["reason"].isprintable(), failure
        assert 5 < len(failure["reason"]) < 250, failure
        assert not Path(failure["mask"]).exists()


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_every_mask_is_whole_and_of_the_size_that_its_file_claims(run):
    _, outcomes = run
    predicted = [outcome for outcome in outcomes if "reason" not in outcome]
    assert len(predicted) > COUNT / 4
    for outcome in predicted:
        mask = read_mask(Path(outcome["mask"]), strict=True)
        assert mask.shape == (outcome["height"], outcome["width"])
        if "heic" in outcome["image"] or "dicom" in outcome["image"]:
            continue
        with Image.open(outcome["image"]) as picture:
            assert sorted(picture.size) == sorted(mask.shape), outcome


def test_nothing_but_whole_files_is_left(run):
    folder, outcomes = run
    files = sorted(file for outcome in outcomes if "reason" not in outcome for file in outcome["files"])
    assert sorted(str(path) for path in (folder / "masks").rglob("*")) == files
    assert len(files) % 3 == 0  # mask, overlay, probabilities


def test_time_and_memory_are_bounded(run):
    folder, outcomes = run
    assert np.max([outcome["seconds"] for outcome in outcomes]) < SECONDS_FOR_EIGHT
    assert json.loads((folder / "summary.json").read_text())["megabytes"] < MEGABYTES
