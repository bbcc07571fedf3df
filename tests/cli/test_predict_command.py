from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image, ImageOps


@pytest.fixture
def scans(demo, tmp_path):
    """Four good pictures, one of them stored turned, and two bad ones."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in (0, 2, 3, 5):
        shutil.copy(demo / "images" / f"DEMO_{number:07d}.jpg", folder)
    whole = (folder / "DEMO_0000000.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.png").write_text("not a picture")
    return folder


def test_bad_pictures_are_named_and_the_rest_is_done(lesionctl, scans, model_file, tmp_path):
    done = lesionctl("predict", scans, "--out", "masks", "--model", model_file, "--overlay")
    assert done.returncode == 3
    assert "2 of 6 inputs failed" in done.stderr
    assert "cut.jpg: the file is cut off" in done.stderr
    assert "text.png: not a picture" in done.stderr

    masks = sorted((tmp_path / "masks").glob("*.png"))
    assert done.stdout.splitlines() == [f"masks/{mask.name}" for mask in masks]
    assert len(masks) == 4
    assert len(list((tmp_path / "masks").iterdir())) == 8  # a mask and an overlay each, nothing half-written
    for mask in masks:
        picture = ImageOps.exif_transpose(Image.open(scans / mask.name.replace("_segmentation.png", ".jpg")))
        with Image.open(mask) as found:
            assert found.size == picture.size
            assert found.mode == "L"
            assert set(np.unique(found)) <= {0, 255}


def test_existing_masks_are_refused_skipped_or_replaced(lesionctl, scans, model_file, tmp_path):
    picture = scans / "DEMO_0000002.jpg"
    mask = tmp_path / "masks" / "DEMO_0000002_segmentation.png"
    mask.parent.mkdir()
    mask.write_bytes(b"old")

    refused = lesionctl("predict", picture, "--out", "masks", "--model", model_file)
    assert refused.returncode == 2
    assert "exists already" in refused.stderr

    skipped = lesionctl("predict", picture, "--out", "masks", "--model", model_file, "--skip-existing")
    assert (skipped.returncode, skipped.stdout, mask.read_bytes()) == (0, "", b"old")

    replaced = lesionctl("predict", picture, "--out", "masks", "--model", model_file, "--overwrite")
    assert replaced.returncode == 0
    assert Image.open(mask).size == ImageOps.exif_transpose(Image.open(picture)).size


def test_jsonl_has_a_line_for_each_picture_and_nothing_else(lesionctl, scans, model_file, tmp_path):
    done = lesionctl("predict", "scans/DEMO_*.jpg", "--out", "masks", "--model", model_file, "--jsonl")
    assert done.returncode == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["image"] for row in rows] == [f"scans/DEMO_000000{number}.jpg" for number in (0, 2, 3, 5)]
    for row in rows:
        mask = np.asarray(Image.open(tmp_path / row["mask"])) > 0
        assert mask.shape == (row["height"], row["width"])
        assert row["lesion_pixels"] == mask.sum()
        if mask.any():
            ys, xs = np.nonzero(mask)
            assert row["bounding_box"] == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        else:
            assert row["bounding_box"] is None


def test_two_pictures_for_one_mask_are_refused_before_any_work(lesionctl, scans, model_file, tmp_path):
    shutil.copy(scans / "DEMO_0000000.jpg", tmp_path / "DEMO_0000000.jpg")
    done = lesionctl("predict", scans / "DEMO_0000000.jpg", "DEMO_0000000.jpg", "--out", "masks", "--model", model_file)
    assert done.returncode == 2
    assert "would both be written to" in done.stderr
    assert not (tmp_path / "masks").exists()


def test_several_models_answer_together(lesionctl, scans, model_file, tmp_path):
    picture = scans / "DEMO_0000002.jpg"
    (tmp_path / "c.toml").write_text(f'[predict]\nmodel = "{model_file}"\n')  # a lone value is a list of one
    done = lesionctl("--config", "c.toml", "predict", picture, "--out", "one", "--jsonl")
    twice = lesionctl("predict", picture, "--out", "two", "--model", model_file, "--model", model_file, "--jsonl")
    one, two = json.loads(done.stdout), json.loads(twice.stdout)
    assert (one["model"], two["model"]) == ("tiny", "tiny ×2")
    assert (tmp_path / one["mask"]).read_bytes() == (tmp_path / two["mask"]).read_bytes()
