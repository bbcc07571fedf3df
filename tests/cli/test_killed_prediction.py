"""A prediction that is killed at any moment goes on with the same command, and every mask comes out whole."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from lesionctl.fetch.demo import draw_demo
from lesionctl.imaging.masks import read_mask

KILLS = int(os.environ.get("LESIONCTL_TEST_KILLS", "3"))
PICTURES = int(os.environ.get("LESIONCTL_TEST_KILLED_PICTURES", "60"))  # 500 for the whole


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """A folder of drawn pictures, the same few under many names."""
    drawn = sorted((draw_demo(tmp_path_factory.mktemp("drawn") / "demo", count=10).directory / "images").iterdir())
    folder = tmp_path_factory.mktemp("scans")
    for number in range(PICTURES):
        shutil.copy(drawn[number % len(drawn)], folder / f"scan {number:03d}.jpg")
    return folder


def masks(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def test_kills_at_any_moment_cost_nothing_but_time(scans, model_file, tmp_path):
    words = [
        *(sys.executable, "-m", "lesionctl", "predict", str(scans), "--model", str(model_file), "--batch-size", "4"),
        *("--csv", "rows.csv", "--polygons", "lesions.json", "--backend", "torch", "--out"),
    ]
    began = time.monotonic()
    subprocess.run([*words, str(tmp_path / "whole")], cwd=tmp_path, check=True, capture_output=True)
    seconds = time.monotonic() - began
    expected, table = masks(tmp_path / "whole"), (tmp_path / "rows.csv").read_text().splitlines()
    outlines = json.loads((tmp_path / "lesions.json").read_text())["annotations"]
    (tmp_path / "rows.csv").unlink()
    (tmp_path / "lesions.json").unlink()

    chance, done, cut_short = random.Random(1), -1, 0
    for number in range(KILLS):
        process = subprocess.Popen(
            [*words, "masks"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # Most of the time goes by before the first mask: later moments are the more instructive ones.
        time.sleep(seconds * (0.5 + 0.5 * chance.random()) * (1 if number else 0.9))
        is_asked = number % 3 == 2
        process.send_signal(signal.SIGTERM if is_asked else signal.SIGKILL)
        code = process.wait()
        assert code in ((75, 0) if is_asked else (-signal.SIGKILL, 0))
        cut_short += code != 0
        there = masks(tmp_path / "masks") if (tmp_path / "masks").exists() else {}
        assert there.items() <= expected.items()  # whole, or not there
        assert len(there) >= done
        done = len(there)
    assert cut_short

    last = subprocess.run([*words, "masks"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert len(last.stdout.splitlines()) == PICTURES
    assert masks(tmp_path / "masks") == expected
    for path in (tmp_path / "masks").glob("*.png"):
        read_mask(path, strict=True)
    assert not [path for path in (tmp_path / "masks").iterdir() if path.suffix == ".part"]

    rows = (tmp_path / "rows.csv").read_text().splitlines()
    assert rows[0] == table[0]
    assert {row.split(",")[0] for row in rows} == {row.split(",")[0] for row in table}
    assert len(rows) == len(table) == PICTURES + 1
    found = json.loads((tmp_path / "lesions.json").read_text())["annotations"]
    assert sorted(one["segmentation"] for one in found) == sorted(one["segmentation"] for one in outlines)
