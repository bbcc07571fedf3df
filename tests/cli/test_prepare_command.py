"""`lesionctl prepare` as a person runs it: sources by every name, what stdout and stderr say, and the exit code."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image as Pillow

from lesionctl.atomic import resumable_directory


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_files_that_cannot_be_used_are_named_and_the_rest_is_prepared(lesionctl, demo, tmp_path):
    shutil.copytree(demo, tmp_path / "mine")
    images, masks = tmp_path / "mine" / "images", tmp_path / "mine" / "masks"
    cut = images / "DEMO_0000003.jpg"
    cut.write_bytes(cut.read_bytes()[:2000])
    (masks / "DEMO_0000004_segmentation.png").unlink()
    shutil.copy(masks / "DEMO_0000006_segmentation.png", masks / "DEMO_0000000_segmentation.png")  # of another size
    (images / "X.jpg").symlink_to("gone.jpg")

    done = lesionctl("prepare", "mine", "--out", "store", "--size", "64", "--html", "--json")
    assert done.returncode == 3
    assert "4 of 13 inputs failed" in done.stderr
    assert "DEMO_0000003.jpg: the file is cut off" in done.stderr
    assert "DEMO_0000004.jpg: a picture without a mask" in done.stderr
    assert "DEMO_0000000_segmentation.png: the mask is " in done.stderr
    assert "X.jpg: a picture without a mask" in done.stderr
    result = json.loads(done.stdout)
    assert result["pairs"] == 9
    assert {path.rpartition("/")[2] for path in (entry["path"] for entry in result["left_out"])} == {
        "DEMO_0000003.jpg", "DEMO_0000004.jpg", "DEMO_0000000_segmentation.png", "X.jpg",
    }  # fmt: skip
    found = result["findings"]
    assert (found["unusable"], found["picture-without-mask"], found["size-mismatch"]) == (1, 2, 1)
    assert sum(found.values()) == len(rows(tmp_path / "store" / "audit.csv"))
    assert (tmp_path / "store" / "audit.html").is_file()


def test_tables_show_pairs_sizes_lesions_splits_and_findings(lesionctl, demo, tmp_path):
    done = lesionctl("prepare", demo, "--out", "store", "--size", "64")
    assert done.returncode == 0
    lines = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.split()}
    assert lines["all"][1] == "12"
    assert int(lines["train"][1]) + int(lines["val"][1]) + int(lines["test"][1]) == 12
    fractions = sorted(float(row["lesion_fraction"]) for row in rows(tmp_path / "store" / "samples.csv"))
    middle = (fractions[5] + fractions[6]) / 2  # of twelve
    assert lines["all"][9::2] == [f"{fractions[0]:.1%}", f"{middle:.1%}", f"{fractions[-1]:.1%}"]
    assert lines["same-lesion"][2:] == ["kept", "in", "one", "split"]
    assert "estimated skin tones: " in done.stderr


def test_a_store_that_stands_there_is_kept_unless_told_otherwise(lesionctl, demo):
    assert lesionctl("prepare", demo, "--out", "store", "--size", "64").returncode == 0
    refused = lesionctl("prepare", demo, "--out", "store", "--size", "96")
    assert refused.returncode == 1
    assert "store exists already" in refused.stderr
    assert lesionctl("prepare", demo, "--out", "store", "--size", "96", "--overwrite").returncode == 0


def test_official_splits_that_overlap_are_refused_until_a_side_is_named(lesionctl, demo, tmp_path):
    for name, numbers, split in (("new", range(12), "train"), ("old", range(4), "test")):
        for part in ("images", "masks"):
            (tmp_path / name / part).mkdir(parents=True)
            for number in numbers:
                for file in (demo / part).glob(f"DEMO_{number:07d}*"):
                    shutil.copy(file, tmp_path / name / part)
        table = "".join(f"DEMO_{number:07d},{split}\n" for number in numbers)
        (tmp_path / name / "metadata.csv").write_text(f"id,split\n{table}")

    command = ["prepare", "new", "old", "--out", "store", "--size", "64", "--json"]
    refused = lesionctl(*command)
    assert refused.returncode == 4
    assert refused.stdout == ""
    assert "  pictures of old test that stand in new train too: 4" in refused.stderr
    assert "--overlap test leaves the doubles out of training" in refused.stderr
    assert not (tmp_path / "store").exists()

    settled = lesionctl(*command, "--overlap", "test", "--split", "80/0/20")
    assert settled.returncode == 0
    assert "going on after 16 of 16 pairs" in settled.stderr
    result = json.loads(settled.stdout)
    assert result["splits"] == {"train": 8, "test": 4}
    assert result["findings"]["overlap"] == 4
    left_out = [row for row in rows(tmp_path / "store" / "audit.csv") if row["finding"] == "overlap"]
    assert [(row["source"], row["id"]) for row in left_out] == [("new", f"DEMO_{number:07d}") for number in range(4)]


def test_fetched_set_by_name_and_one_part_of_it(lesionctl, demo, tmp_path):
    folder = tmp_path / "cache" / "sets" / "isic0"
    shutil.copytree(demo, folder)
    splits = ["train"] * 6 + ["val"] * 2 + ["test"] * 4
    table = "".join(f"DEMO_{number:07d},{split}\n" for number, split in enumerate(splits))
    (folder / "metadata.csv").write_text(f"image_id,split\n{table}")

    def prepare(*sources):
        variables = {"LESIONCTL_CACHE_DIR": str(tmp_path / "cache")}
        return lesionctl("prepare", *sources, "--out", f"store{len(sources)}", "--size", "64", "--json", **variables)

    whole = prepare("isic0")
    assert json.loads(whole.stdout)["splits"] == {"train": 6, "val": 2, "test": 4}
    parts = prepare("isic0:val", "isic0:test")
    assert json.loads(parts.stdout)["splits"] == {"val": 2, "test": 4}
    assert {row["source"] for row in rows(tmp_path / "store2" / "samples.csv")} == {"isic0"}


def test_folders_of_ones_own_with_every_option(lesionctl, demo, tmp_path):
    shutil.copytree(demo / "images", tmp_path / "scans")
    shutil.copytree(demo / "masks", tmp_path / "outlines")
    path = tmp_path / "outlines" / "DEMO_0000001_segmentation.png"
    with Pillow.open(path) as mask:
        soft = np.where(np.asarray(mask) > 0, 90, 20).astype(np.uint8)
    Pillow.fromarray(soft).save(path)
    table = "".join(f"DEMO_{number:07d},ward {number // 3}\n" for number in range(12))
    (tmp_path / "patients.csv").write_text(f"id,ward\n{table}")
    done = lesionctl(
        "prepare", "--images", "scans", "--masks", "outlines", "--metadata", "patients.csv", "--group-by", "ward",
        "--binarise-at", "60", "--resize", "pad", "--size", "64", "--split", "50/25/25", "--folds", "2", "--seed", "7",
        "--out", "store", "--json",
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("error")) == (0, 0)
    result = json.loads(done.stdout)
    assert (result["pairs"], result["groups"]) == (12, 4)
    assert result["splits"]["test"] == 3
    assert sorted(result["folds"].items()) in ([("0", 3), ("1", 6)], [("0", 6), ("1", 3)])
    samples = rows(tmp_path / "store" / "samples.csv")
    assert {row["source"] for row in samples} == {"scans"}
    assert len({(row["group"], row["split"], row["fold"]) for row in samples}) == 4


def test_table_with_a_picture_that_nobody_has(lesionctl, demo, tmp_path):
    shutil.copytree(demo, tmp_path / "mine")
    listed = [f"images/DEMO_{n:07d}.jpg,masks/DEMO_{n:07d}_segmentation.png" for n in range(8)]
    (tmp_path / "mine" / "pairs.csv").write_text("\n".join(["image,mask", *listed, "images/X.jpg,masks/X.png", ""]))
    done = lesionctl("prepare", "mine/pairs.csv", "--out", "store", "--size", "64", "--json")
    assert done.returncode == 3
    assert "1 of 9 inputs failed" in done.stderr
    assert "mine/images/X.jpg: cannot be read (No such file or directory)" in done.stderr
    assert json.loads(done.stdout)["pairs"] == 8


def test_second_process_is_told_of_the_first(lesionctl, demo, tmp_path):
    with resumable_directory(tmp_path / "store"):
        refused = lesionctl("prepare", demo, "--out", "store", "--size", "64")
        assert refused.returncode == 1
        assert "another process is making store at this moment" in refused.stderr
        assert "fault of lesionctl" not in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "there is nothing to prepare"),
        (("--images", "."), "--images and --masks go together"),
        (("nowhere",), "there is no folder, table or fetched set 'nowhere'"),
        ((".", "--split", "70/40/0"), "is not three shares of 100"),
    ],
)
def test_commands_that_make_no_sense(lesionctl, tmp_path, arguments, message):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    refused = lesionctl("prepare", *arguments, "--out", "store")
    assert refused.returncode == 2
    assert message in refused.stderr
