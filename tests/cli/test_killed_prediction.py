"""A prediction that is killed at any moment goes on with the same command, and every mask comes out whole."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import time

import pytest

from lesionctl.fetch.demo import draw_demo
from lesionctl.imaging.masks import read_mask
from lesionctl.predict.manifest import digest_of

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


class Program:
    """A command whose masks, rows and outlines are known."""

    def __init__(self, start, folder, scans, model_file, *words):
        self.start = start
        self.folder = folder
        self.words = [
            *("predict", scans, "--model", model_file),
            *("--batch-size", "4", "--csv", "rows.csv", "--polygons", "lesions.json", "--backend", "torch", *words),
        ]

    def run(self, out):
        """Predict to the end; returns what was said on stdout."""
        process = self.start(*self.words, "--out", out)
        said, logged = process.communicate(timeout=300)
        assert process.returncode == 0, logged
        return said

    def table(self):
        return (self.folder / "rows.csv").read_text().splitlines()

    def outlines(self):
        return json.loads((self.folder / "lesions.json").read_text())["annotations"]

    def kill(self, seconds, number, chance):
        """Begin to predict and end it within `seconds`; returns whether it was cut short."""
        before = masks(self.folder / "masks")
        process = self.start(*self.words, "--out", "masks")
        time.sleep(seconds * (0.1 + 0.6 * chance.random()))
        is_asked = number % 3 == 2
        process.send_signal(signal.SIGTERM if is_asked else signal.SIGKILL)
        code = process.wait()
        # While the model is loaded, and after the last picture, nobody listens to a request: it ends the process.
        if is_asked and code == -signal.SIGTERM:
            after = masks(self.folder / "masks")
            assert after == before or len(after) == PICTURES
        else:
            assert code in ((75, 0) if is_asked else (-signal.SIGKILL, 0))
        return code != 0


@pytest.fixture
def whole(start_lesionctl, scans, model_file, tmp_path):
    """A function that runs a command undisturbed: it, its seconds, masks, rows and outlines."""

    def run(*words):
        program = Program(start_lesionctl, tmp_path, scans, model_file, *words)
        began = time.monotonic()
        program.run(tmp_path / "whole")
        seconds = time.monotonic() - began
        found = (masks(tmp_path / "whole"), program.table(), program.outlines())
        for path in (tmp_path / "whole", tmp_path / "rows.csv", tmp_path / "lesions.json"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return program, seconds, *found

    return run


def check_the_end(program, expected, table, outlines):
    """One more run, to its end, makes all that an undisturbed one makes."""
    out = program.folder / "masks"
    last = program.run("masks")
    assert len(last.splitlines()) == PICTURES
    assert masks(out) == expected
    for path in out.glob("*.png"):
        read_mask(path, strict=True)
    assert not [path for path in out.iterdir() if path.suffix == ".part"]

    rows = program.table()
    assert rows[0] == table[0]
    assert {row.split(",")[0] for row in rows} == {row.split(",")[0] for row in table}
    assert len(rows) == len(table) == PICTURES + 1
    found = program.outlines()
    assert sorted(one["segmentation"] for one in found) == sorted(one["segmentation"] for one in outlines)


def test_kills_at_any_moment_cost_nothing_but_time(whole, tmp_path):
    program, seconds, expected, table, outlines = whole()
    chance, done, cut_short = random.Random(1), -1, 0
    for number in range(KILLS):
        cut_short += program.kill(seconds, number, chance)
        there = masks(tmp_path / "masks") if (tmp_path / "masks").exists() else {}
        assert there.items() <= expected.items()  # whole, or not there
        assert len(there) >= done
        done = len(there)
    assert cut_short
    check_the_end(program, expected, table, outlines)


def test_kills_while_masks_of_another_recipe_are_replaced_never_pass_one_off_as_new(
    whole, start_lesionctl, scans, model_file, tmp_path
):
    # With random weights the views agree on many masks: the format makes each file another one.
    program, seconds, expected, table, outlines = whole("--tta", "--skip-existing", "--mask-format", "1-bit")
    Program(start_lesionctl, tmp_path, scans, model_file).run("masks")
    older = masks(tmp_path / "masks")
    assert older.keys() == expected.keys()
    assert not any(older[name] == expected[name] for name in older)

    chance, cut_short = random.Random(2), 0
    for number in range(KILLS):
        cut_short += program.kill(seconds, number, chance)
        for name, content in masks(tmp_path / "masks").items():
            assert content in (older[name], expected[name])  # whole, or not there
        lines = (tmp_path / "masks" / ".lesionctl" / "masks.1-of-1.jsonl").read_text().splitlines()
        latest = {}
        for line in lines:
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                latest[found["mask"]] = found["digest"]
        for name, content in masks(tmp_path / "masks").items():
            assert latest[name] == digest_of(content)  # no line says of an older mask that it is a newer one
    assert cut_short
    check_the_end(program, expected, table, outlines)
