"""Where each mask goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lesionctl.dataset.inputs import Input
from lesionctl.dataset.own_files import OwnFiles
from lesionctl.errors import UsageError
from lesionctl.predict.jobs import Outputs, plan_jobs


def test_masks_mirror_the_tree(tmp_path):
    (job,) = plan_jobs([Input(Path("x/deep/a.png"), Path("deep/a.png"))], tmp_path)
    assert job.mask == tmp_path / "deep" / "a_segmentation.png"
    assert (job.overlay, job.probabilities, job.files) == (None, None, [job.mask])


def test_other_files_lie_beside_the_mask(tmp_path):
    (job,) = plan_jobs([Input(Path("a.png"), Path("a.png"))], tmp_path, Outputs(overlay=True, probabilities=True))
    assert [file.name for file in job.files] == ["a_segmentation.png", "a_overlay.jpg", "a_probability.png"]


@pytest.mark.parametrize("other", ["a.jpg", "A.png"])  # one file, where file names are the same whatever their case
def test_one_mask_for_two_pictures_is_refused(tmp_path, other):
    with pytest.raises(UsageError, match="would both be written"):
        plan_jobs([Input(Path("x/a.png"), Path("a.png")), Input(Path("y") / other, Path(other))], tmp_path)


def test_names_that_would_be_one_row_of_a_table_are_refused():
    pictures = [Path("a\nb.png"), Path("a\\nb.png")]
    with pytest.raises(UsageError, match="would both be written"):
        plan_jobs([Input(path, path) for path in pictures], Path("masks"))


def named(*paths):
    return [Input(path, Path(path.name)) for path in paths]


def test_a_picture_is_never_written_over(tmp_path):
    inputs = named(tmp_path / "a.png", tmp_path / "a_segmentation.png")
    with pytest.raises(UsageError, match=r"a_segmentation\.png is one of the pictures, and what is made of .*/a\.png"):
        plan_jobs(inputs, tmp_path)
    assert len(plan_jobs(inputs, tmp_path / "masks")) == 2


@pytest.mark.parametrize("name", ["a_segmentation.png", "a_overlay.jpg", "a_probability.png"])
def test_a_file_about_all_pictures_in_the_place_of_one_of_a_picture_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match=f"{name} would be written twice: of a.png, and about all pictures"):
        plan_jobs(
            named(Path("a.png")), tmp_path, Outputs(overlay=True, probabilities=True), OwnFiles([tmp_path / name])
        )


def test_what_an_earlier_run_made_in_the_same_place_is_no_picture_though_a_shell_names_it(tmp_path):
    (tmp_path / ".lesionctl").mkdir()
    row = {"overlay": "a_overlay.jpg", "probabilities": None}
    line = json.dumps({"mask": "a_segmentation.png", "row": row})
    (tmp_path / ".lesionctl" / "masks.2-of-3.jsonl").write_text(line + "\n")
    names = ["a.png", "a_overlay.jpg", "a_probability.png", "a_segmentation.png", "b_overlay.jpg", "look.2-of-3.png"]
    paths = [tmp_path / name for name in names]
    own = OwnFiles([tmp_path / "look.png"])
    jobs = plan_jobs(named(*paths), tmp_path, own=own)
    assert [job.image.name for job in jobs] == ["a.png", "a_probability.png", "b_overlay.jpg"]
    assert [path.name for path in own.left_out] == ["look.2-of-3.png", "a_overlay.jpg", "a_segmentation.png"]
    assert len(plan_jobs(named(*paths), tmp_path / "elsewhere")) == 6


def test_a_table_that_a_shell_names_does_not_stand_in_the_way_of_a_picture(tmp_path):
    inputs = named(tmp_path / "rows.csv", tmp_path / "rows.jpg")
    (job,) = plan_jobs(inputs, tmp_path, own=OwnFiles([tmp_path / "rows.csv"]))
    assert job.image == tmp_path / "rows.jpg"
