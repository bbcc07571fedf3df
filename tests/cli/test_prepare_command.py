from __future__ import annotations

import json
import shutil


def test_files_that_cannot_be_used_are_named_and_the_rest_is_prepared(lesionctl, demo, tmp_path):
    shutil.copytree(demo, tmp_path / "mine")
    images, masks = tmp_path / "mine" / "images", tmp_path / "mine" / "masks"
    cut = images / "DEMO_0000003.jpg"
    cut.write_bytes(cut.read_bytes()[:2000])
    (masks / "DEMO_0000004_segmentation.png").unlink()
    shutil.copy(masks / "DEMO_0000006_segmentation.png", masks / "DEMO_0000000_segmentation.png")  # of another size

    done = lesionctl("prepare", "mine", "--out", "store", "--size", "64", "--json")
    assert done.returncode == 3
    assert "3 of 12 inputs failed" in done.stderr
    assert "DEMO_0000003.jpg: the file is cut off" in done.stderr
    assert "DEMO_0000004.jpg: a picture without a mask" in done.stderr
    assert "DEMO_0000000_segmentation.png: the mask is " in done.stderr
    assert json.loads(done.stdout)["pairs"] == 9


def test_a_table_shows_pairs_sizes_lesions_and_splits(lesionctl, demo):
    done = lesionctl("prepare", demo, "--out", "store", "--size", "64")
    assert done.returncode == 0
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.split()}
    assert rows["all"][1] == "12"
    assert int(rows["train"][1]) + int(rows["val"][1]) + int(rows["test"][1]) == 12


def test_a_store_that_stands_there_is_kept_unless_told_otherwise(lesionctl, demo):
    assert lesionctl("prepare", demo, "--out", "store", "--size", "64").returncode == 0
    refused = lesionctl("prepare", demo, "--out", "store", "--size", "96")
    assert refused.returncode == 1
    assert "store exists already" in refused.stderr
    assert lesionctl("prepare", demo, "--out", "store", "--size", "96", "--overwrite").returncode == 0
