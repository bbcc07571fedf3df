"""Many pictures, several processes, folders of pictures and masks together, and names of every kind."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys

import pytest

from lesionctl.atomic import unlock_file
from lesionctl.predict.shard import Shard
from lesionctl.predict.share_lock import take_share


@pytest.fixture
def scans(demo, tmp_path):
    """Three pictures."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in (0, 2, 3):
        shutil.copy(demo / "images" / f"DEMO_{number:07d}.jpg", folder)
    return folder


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_what_was_written_into_the_folder_of_the_pictures_is_no_picture_of_the_next_run(lesionctl, scans, model_file):
    (scans / "old_overlay.jpg").write_bytes((scans / "DEMO_0000000.jpg").read_bytes())  # a picture by its name alone
    words = (
        *("--out", "scans", "--model", model_file, "--overlay", "--probabilities"),
        *("--contact-sheet", "scans/look.png", "--csv", "scans/rows.csv", "--polygons", "scans/lesions.json"),
    )
    first = lesionctl("predict", "scans", *words)
    assert (first.returncode, len(first.stdout.splitlines()), "left out" in first.stderr) == (0, 4, False)
    made = sorted(path for path in scans.iterdir() if path.is_file())
    assert len(made) == 4 * 4 + 3
    for inputs, left_out in (
        (["scans"], 13),  # masks, overlays, probabilities, and the contact sheet
        (["scans/*"], 15),  # and the table and the polygons
        ([f"scans/{path.name}" for path in made], 15),  # as a shell writes it
    ):
        again = lesionctl("predict", *inputs, *words)
        assert (again.returncode, again.stdout) == (0, first.stdout), again.stderr
        assert "4 of 4 masks are there already" in again.stderr
        assert f" and {left_out - 1} more are left out: this program writes such files" in " ".join(
            again.stderr.split()
        )
    assert sorted(path for path in scans.iterdir() if path.is_file()) == made
    assert len(table(scans / "rows.csv")) == 4

    # Another command, which writes none of these, knows them all the same.
    other = lesionctl("predict", "scans", "--out", "masks", "--model", model_file)
    assert (other.returncode, len(other.stdout.splitlines())) == (0, 4)

    elsewhere = lesionctl("predict", "scans/DEMO_0000000_segmentation.png", "--out", "masks", "--model", model_file)
    assert elsewhere.stdout.splitlines() == ["masks/DEMO_0000000_segmentation_segmentation.png"]


def test_no_file_of_somebody_else_is_written_over(lesionctl, scans, model_file):
    theirs = [scans / "DEMO_0000000_overlay.jpg", scans / "look.png"]
    for path in theirs:
        shutil.copy(scans / "DEMO_0000002.jpg", path)
    for words, what in (
        (("scans", "--out", "scans", "--overlay"), "would be written over it"),
        (("scans/DEMO_0000000.jpg", "--out", "scans", "--overlay"), "nothing says that this program made it"),
        (("scans", "--out", "masks", "--contact-sheet", "scans/look.png"), "is no contact sheet of this program"),
        (("scans", "--out", "masks", "--csv", "rows", "--polygons", "./rows"), "name the same file"),
    ):
        refused = lesionctl("predict", *words, "--model", model_file)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert what in refused.stderr
    assert {path.read_bytes() for path in theirs} == {(scans / "DEMO_0000002.jpg").read_bytes()}


def test_a_run_of_all_and_one_of_a_share_are_not_at_work_together(lesionctl, scans, model_file, tmp_path):
    manifests = tmp_path / "masks" / ".lesionctl"
    manifests.mkdir(parents=True)
    words = ("predict", "scans", "--out", "masks", "--model", model_file)
    lock = take_share(manifests / "masks.2-of-3.jsonl", Shard(2, 3))
    refused = lesionctl(*words)
    message = " ".join(refused.stderr.split())
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "working on share 2 of 3 of the pictures of masks at this moment, and this one would do all" in message
    assert "pass all of them --shard I/N with the same N" in message
    assert lesionctl(*words, "--shard", "1/3").returncode == 0
    unlock_file(lock)
    assert len(lesionctl(*words).stdout.splitlines()) == 3


def test_the_tasks_of_a_list_of_numbers_have_all_pictures_between_them_or_are_refused(lesionctl, scans, model_file):
    def task(number, count, last, step):
        numbers = {"ID": number, "MIN": 3, "MAX": last, "COUNT": count, "STEP": step}
        array = {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in numbers.items()}
        return lesionctl("predict", "scans", "--out", "masks", "--model", model_file, **array)

    masks = [line for number in (3, 7) for line in task(number, 2, 7, 4).stdout.splitlines()]  # --array=3,7
    assert sorted(masks) == [f"masks/DEMO_000000{number}_segmentation.png" for number in (0, 2, 3)]
    refused = task(3, 3, 8, 4)  # --array=3,7,8
    assert refused.returncode == 2
    assert "have gaps" in refused.stderr
    assert "--shard I/N" in refused.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems want names to be text")
def test_pictures_of_any_name_have_their_rows_and_outlines_whole_after_a_kill(lesionctl, scans, model_file, tmp_path):
    content = (scans / "DEMO_0000000.jpg").read_bytes()
    shutil.rmtree(scans)
    scans.mkdir()
    names = [b"two\nlines\r.jpg", b'"quoted", and more.jpg', b"caf\xe9.jpg", b"-dash.jpg", b"=1+1.jpg", b" space .jpg"]
    paths = [scans / os.fsdecode(name) for name in names]
    for path in paths:
        path.write_bytes(content)
    words = ("predict", "scans", "--out", "masks", "--model", model_file, "--csv", "r.csv", "--polygons", "l.json")
    words = (*words, "--jsonl")  # names that are no text are no text on standard output either, but here
    first = lesionctl(*words)
    assert first.returncode == 0
    assert sorted(json.loads(line)["image"] for line in first.stdout.splitlines()) == sorted(
        str(path.relative_to(tmp_path)) for path in paths
    )
    expected = ['scans/"quoted", and more.jpg', "scans/ space .jpg", "scans/-dash.jpg", "scans/=1+1.jpg"]
    expected += ["scans/caf\\udce9.jpg", "scans/two\\nlines\\r.jpg"]
    rows, outlines = (tmp_path / "r.csv").read_bytes(), (tmp_path / "l.json").read_bytes()
    assert sorted(row["image"] for row in table(tmp_path / "r.csv")) == sorted(expected)
    assert sorted(image["file_name"] for image in json.loads(outlines)["images"]) == sorted(
        str(path.relative_to(tmp_path)) for path in paths
    )

    last = rows.rstrip(b"\n").rindex(b"\n") + 1
    for cut in (last + 9, len(rows) - 1):  # within the last row's name, and just before its end
        (tmp_path / "r.csv").write_bytes(rows[:cut])
        (tmp_path / "l.json").unlink(missing_ok=True)
        assert lesionctl(*words).returncode == 0
        assert (tmp_path / "r.csv").read_bytes() == rows
        assert (tmp_path / "l.json").read_bytes() == outlines
    named = lesionctl("predict", "--out", "masks", "--model", model_file, "--jsonl", "--", *paths)
    assert "6 of 6 masks are there already" in named.stderr
