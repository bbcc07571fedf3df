from __future__ import annotations

from pathlib import Path

import pytest

from lesionctl.dataset.inputs import Input, find_inputs
from lesionctl.errors import UsageError
from lesionctl.predict.jobs import Existing, plan_jobs


@pytest.fixture
def tree(tmp_path):
    for name in ("b.jpg", "a.png", "notes.txt", "deep/a.png", ".hidden.jpg"):
        (tmp_path / "scans" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "scans" / name).touch()
    return tmp_path / "scans"


def places(inputs):
    return [str(item.place) for item in inputs]


def test_a_folder_gives_its_pictures_by_name(tree):
    assert places(find_inputs([str(tree)])) == ["a.png", "b.jpg"]


def test_masks_and_overlays_beside_the_pictures_are_no_pictures(tree):
    (tree / "b_segmentation.png").touch()
    (tree / "b_overlay.jpg").touch()
    assert places(find_inputs([str(tree)])) == ["a.png", "b.jpg"]


def test_recursive_keeps_the_place_below_the_folder(tree):
    assert places(find_inputs([str(tree)], recursive=True)) == ["a.png", "b.jpg", "deep/a.png"]


def test_patterns_are_expanded_and_doubles_dropped(tree):
    assert places(find_inputs([str(tree / "*.jpg"), str(tree / "b.jpg")])) == ["b.jpg"]


def test_a_file_is_taken_whatever_its_suffix(tree):
    assert places(find_inputs([str(tree / "notes.txt")])) == ["notes.txt"]


@pytest.mark.parametrize("name", ["missing.jpg", "missing/*.jpg"])
def test_a_name_for_nothing_is_refused(tree, name):
    with pytest.raises(UsageError, match="no file or folder"):
        find_inputs([str(tree / name)])


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no pictures"):
        find_inputs([str(tmp_path)])


def test_masks_mirror_the_tree(tmp_path):
    jobs = plan_jobs([Input(Path("x/deep/a.png"), Path("deep/a.png"))], tmp_path)
    assert jobs[0].mask == tmp_path / "deep" / "a_segmentation.png"
    assert jobs[0].overlay == tmp_path / "deep" / "a_overlay.jpg"


def test_one_mask_for_two_pictures_is_refused(tmp_path):
    with pytest.raises(UsageError, match="would both be written"):
        plan_jobs([Input(Path("x/a.png"), Path("a.png")), Input(Path("x/a.jpg"), Path("a.jpg"))], tmp_path)


@pytest.mark.parametrize(("existing", "left"), [(Existing.SKIP, ["b.jpg"]), (Existing.OVERWRITE, ["a.png", "b.jpg"])])
def test_existing_masks(tree, tmp_path, existing, left):
    (tmp_path / "a_segmentation.png").touch()
    jobs = plan_jobs(find_inputs([str(tree)]), tmp_path, existing)
    assert [job.image.name for job in jobs] == left


def test_existing_masks_are_refused_by_default(tree, tmp_path):
    (tmp_path / "a_segmentation.png").touch()
    with pytest.raises(UsageError, match="exists already"):
        plan_jobs(find_inputs([str(tree)]), tmp_path)
