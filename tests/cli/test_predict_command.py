from __future__ import annotations

import csv
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
    # A mask and an overlay each, what says where they come from, and nothing half written.
    assert len([path for path in (tmp_path / "masks").iterdir() if path.is_file()]) == 8
    for mask in masks:
        picture = ImageOps.exif_transpose(Image.open(scans / mask.name.replace("_segmentation.png", ".jpg")))
        with Image.open(mask) as found:
            assert found.size == picture.size
            assert found.mode == "L"
            assert set(np.unique(found)) <= {0, 255}


def test_masks_that_somebody_else_made_are_refused_or_replaced(lesionctl, scans, model_file, tmp_path):
    picture = scans / "DEMO_0000002.jpg"
    mask = tmp_path / "masks" / "DEMO_0000002_segmentation.png"
    mask.parent.mkdir()
    mask.write_bytes(b"old")

    for words in ((), ("--skip-existing",)):
        refused = lesionctl("predict", picture, "--out", "masks", "--model", model_file, *words)
        assert (refused.returncode, mask.read_bytes()) == (2, b"old")
        assert "exists already, and nothing says that this program made it" in refused.stderr

    replaced = lesionctl("predict", picture, "--out", "masks", "--model", model_file, "--overwrite")
    assert replaced.returncode == 0
    assert Image.open(mask).size == ImageOps.exif_transpose(Image.open(picture)).size


def test_the_same_command_goes_on_and_another_model_is_not_mixed_in(lesionctl, scans, model_file, tmp_path):
    words = ("predict", "scans/DEMO_*.jpg", "--out", "masks", "--csv", "rows.csv")
    first = lesionctl(*words, "--model", model_file)
    assert first.returncode == 0
    rows = (tmp_path / "rows.csv").read_bytes()
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "masks").glob("*.png")}
    again = lesionctl(*words, "--model", model_file)
    assert (again.returncode, again.stdout) == (0, first.stdout)
    assert "4 of 4 masks are there already" in again.stderr
    assert (tmp_path / "rows.csv").read_bytes() == rows
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "masks").glob("*.png")} == before

    mixed = lesionctl(*words, "--model", model_file, "--tta")
    assert mixed.returncode == 2
    assert "of another model or other settings" in mixed.stderr
    anew = lesionctl(*words, "--model", model_file, "--tta", "--skip-existing")
    assert anew.returncode == 0
    with (tmp_path / "rows.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["image"] for row in table] == [f"scans/DEMO_000000{number}.jpg" for number in (0, 2, 3, 5)]


def test_lists_trees_shares_and_files_about_all_pictures(lesionctl, scans, model_file, tmp_path):
    (scans / "ward").mkdir()
    shutil.move(scans / "DEMO_0000003.jpg", scans / "ward" / "DEMO_0000003.jpg")
    names = [path.relative_to(tmp_path) for path in sorted(scans.rglob("DEMO_*.jpg"))]
    (tmp_path / "list").write_bytes(b"\0".join(str(name).encode() for name in names))
    done = lesionctl(
        *("predict", "--files-from", "list", "-0", "--out", "masks", "--model", model_file, "--mask-format", "1-bit"),
        *("--probabilities", "--polygons", "lesions.json", "--contact-sheet", "sheet.png", "--csv", "rows.csv"),
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == sorted(f"masks/{name.parent}/{name.stem}_segmentation.png" for name in names)
    with Image.open(tmp_path / "masks" / "scans" / "ward" / "DEMO_0000003_segmentation.png") as mask:
        assert mask.mode == "1"
    with Image.open(tmp_path / "masks" / "scans" / "DEMO_0000000_probability.png") as levels:
        assert levels.mode.startswith("I")
    assert [image["file_name"] for image in json.loads((tmp_path / "lesions.json").read_text())["images"]] == [
        str(name) for name in names
    ]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size[0] > 4 * 256

    words = ("predict", "-r", "scans", "--model", model_file, "--out", "shared")
    shares = [lesionctl(*words, "--shard", f"{number}/2", "--csv", "rows.csv") for number in (1, 2)]
    assert max(share.returncode for share in shares) == 3  # the two bad pictures, one each or both in one
    assert sum(share.stderr.count("cut.jpg: ") for share in shares) == 1
    masks = sorted(line for share in shares for line in share.stdout.split())
    assert masks == sorted(f"shared/{name.relative_to('scans').parent / name.stem}_segmentation.png" for name in names)
    assert (tmp_path / "rows.1-of-2.csv").exists()


def test_a_list_may_name_what_is_not_there(lesionctl, scans, model_file, tmp_path):
    (tmp_path / "list.txt").write_text("scans/DEMO_0000000.jpg\nscans/gone.jpg\n")
    done = lesionctl("predict", "--files-from", "list.txt", "--out", "masks", "--model", model_file)
    assert done.returncode == 3
    assert "scans/gone.jpg: cannot be read (No such file or directory)" in done.stderr


def test_a_picture_beyond_the_limit_is_named(lesionctl, scans, model_file):
    done = lesionctl(
        "predict", scans / "DEMO_0000000.jpg", "--out", "masks", "--model", model_file, "--max-pixels", "1000"
    )
    assert done.returncode == 3
    assert "more than the limit of 1,000" in done.stderr


def test_a_changed_picture_is_predicted_anew_and_one_that_has_gone_is_a_failure(lesionctl, scans, model_file, tmp_path):
    names = sorted(path.name for path in scans.glob("DEMO_*.jpg"))
    (tmp_path / "list.txt").write_text("".join(f"scans/{name}\n" for name in names))
    words = ("predict", "--files-from", "list.txt", "--out", "masks", "--model", model_file, "--csv", "rows.csv")
    assert lesionctl(*words).returncode == 0
    shutil.copy(scans / names[0], scans / names[1])
    (scans / names[2]).unlink()
    done = lesionctl(*words)
    assert done.returncode == 3
    assert "2 of 4 masks are there already" in done.stderr
    assert "1 of 4 pictures have changed since: their masks are made anew" in done.stderr
    assert f"scans/{names[2]}: cannot be read (No such file or directory)" in done.stderr
    with (tmp_path / "rows.csv").open(newline="") as file:
        assert sorted(row["image"] for row in csv.DictReader(file)) == [f"scans/{names[i]}" for i in (0, 1, 3)]


def test_under_torchrun_failures_are_a_warning_as_it_would_kill_the_other_processes(lesionctl, scans, model_file):
    done = lesionctl("predict", scans, "--out", "masks", "--model", model_file, TORCHELASTIC_RUN_ID="none")
    assert done.returncode == 0
    assert "warning: 2 of 6 inputs failed, the rest are done" in done.stderr
    assert len(done.stdout.splitlines()) == 4


def test_the_share_of_a_task_of_an_array_is_said_with_the_way_out(lesionctl, scans, model_file):
    array = {f"SLURM_ARRAY_TASK_{name}": value for name, value in (("ID", "2"), ("MIN", "1"), ("MAX", "2"))}
    array["SLURM_ARRAY_TASK_COUNT"] = "2"
    words = ("predict", "scans/DEMO_*.jpg", "--out", "masks", "--model", model_file)
    share = lesionctl("--quiet", *words, **array)
    assert "warning: this is a task of a SLURM array: it does share 2 of 2 alone; --shard 1/1 does all" in share.stderr
    whole = lesionctl(*words, "--shard", "1/1", **array)
    assert (len(whole.stdout.splitlines()), "SLURM" in whole.stderr) == (4, False)
    broken = lesionctl(*words, **(array | {"SLURM_ARRAY_TASK_MAX": "x"}))
    assert broken.returncode == 2
    assert "SLURM_ARRAY_TASK_MAX is 'x', no number" in broken.stderr


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--out", "masks"), "there is nothing to do"),
        (("scans", "--out", "masks", "--shard", "3/2"), "'3/2' is no share"),
        (("scans", "--out", "masks", "--overwrite", "--skip-existing"), "exclude each other"),
    ],
)
def test_what_makes_no_sense_is_refused(lesionctl, scans, words, what):
    done = lesionctl("predict", *words)
    assert done.returncode == 2
    assert what in done.stderr


def test_jsonl_has_a_line_for_each_picture_and_nothing_else(lesionctl, scans, model_file, tmp_path):
    done = lesionctl("predict", "scans/DEMO_*.jpg", "--out", "masks", "--model", model_file, "--jsonl")
    assert done.returncode == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["image"] for row in rows] == [f"scans/DEMO_000000{number}.jpg" for number in (0, 2, 3, 5)]
    for row in rows:
        mask = np.asarray(Image.open(tmp_path / row["mask"])) > 0
        assert mask.shape == (row["height"], row["width"])
        assert row["lesion_pixels"] == mask.sum()
        box = [row[side] for side in ("left", "top", "right", "bottom")]
        ys, xs = np.nonzero(mask)
        assert box == ([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1] if mask.any() else [None] * 4)


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
