"""Files about all pictures have each once, know what they hold, and let go of their locks whatever goes wrong."""

from __future__ import annotations

import csv
import json

import pytest

from lesionctl.errors import Failure, UsageError
from lesionctl.imaging.mask_form import MaskForm
from lesionctl.predict.collect import Collection
from lesionctl.predict.manifest_file import Entry
from lesionctl.predict.predict import Wishes, predict


@pytest.fixture
def paths(tmp_path):
    """Where the files go."""
    return {"csv": tmp_path / "rows.csv", "polygons": tmp_path / "lesions.json", "contact_sheet": tmp_path / "s.png"}


def wishes(collection, jobs, done=None, *, measures=False):
    return collection.wishes(MaskForm.BITS1, jobs, done or {}, measures=measures)


def entry_of(outcome):
    row = json.dumps(outcome.prediction.to_dict()).encode()
    return Entry("recipe", (1, 1), outcome.digest, 1, row)


def test_only_what_the_files_need_is_wanted(tmp_path, plan, paths):
    with Collection(tmp_path / "masks") as nothing:
        wanted = wishes(nothing, plan())
        assert (wanted.form, wanted.measures, wanted.polygons, wanted.thumbnail) == (MaskForm.BITS1, *[False] * 3)
        assert wishes(nothing, plan(), measures=True).measures
    with Collection(tmp_path / "masks", **paths) as everything:
        wanted = wishes(everything, plan())
        assert (wanted.measures, wanted.polygons, wanted.thumbnail) == (True, True, True)


def test_each_picture_is_in_each_file_once_and_known_by_the_next_run(tmp_path, plan, paths, dark_is_lesion):
    jobs, out = plan(), tmp_path / "masks"
    with Collection(out, **paths) as collection:
        outcomes = list(predict(dark_is_lesion, jobs, wishes(collection, jobs)))
        for outcome in outcomes[:3]:
            collection.add(outcome)
            collection.add(outcome)
    done = {outcome.prediction.mask: entry_of(outcome) for outcome in outcomes[:4]}
    done[jobs[4].mask] = Failure(jobs[4].image, "its mask cannot be looked at")
    with Collection(out, **paths) as collection:
        assert wishes(collection, jobs, done).traced == {job.mask for job in jobs[:3]}
        collection.forget(jobs[:1])
        assert wishes(collection, jobs, done).traced == {job.mask for job in jobs[1:3]}
        for outcome in outcomes[1:]:
            collection.add(outcome)
    images = [str(job.image) for job in jobs[1:]]
    with paths["csv"].open(newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == images
    content = json.loads(paths["polygons"].read_text())
    assert [image["file_name"] for image in content["images"]] == images
    assert len(content["annotations"]) == 4
    assert paths["contact_sheet"].exists()


def test_flags_are_counted(tmp_path, plan, dark_is_lesion):
    (outcome,) = predict(dark_is_lesion, plan()[:1])
    outcome = outcome._replace(prediction=outcome.prediction.__class__(**vars(outcome.prediction) | {"flags": ("x",)}))
    with Collection(tmp_path / "masks") as collection:
        collection.add(outcome)
    assert (collection.flagged, dict(collection.flags)) == (1, {"x": 1})


def test_a_file_that_is_refused_leaves_the_other_free(tmp_path, paths):
    paths["polygons"].write_text("something else")
    for _ in range(2):  # the second finds no lock in its way
        with pytest.raises(UsageError, match="is no COCO file of this program"):
            Collection(tmp_path / "masks", **paths)


def test_files_are_complete_after_an_interruption_too(tmp_path, plan, paths, dark_is_lesion):
    (outcome,) = predict(dark_is_lesion, plan()[:1], Wishes(polygons=True, thumbnail=True))

    def stop():
        collection.add(outcome)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Collection(tmp_path / "masks", **paths) as collection:
        stop()
    assert len(json.loads(paths["polygons"].read_text())["images"]) == 1
