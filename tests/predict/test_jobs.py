"""Where each mask goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lesionctl.dataset.inputs import Input
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
