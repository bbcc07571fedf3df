"""From pictures to files: what is written, in which order, and how an interrupted run goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionctl.dataset.inputs import Input
from lesionctl.dataset.marks import mark_of
from lesionctl.errors import Failure, UsageError
from lesionctl.imaging.mask_form import MaskForm
from lesionctl.imaging.masks import read_mask
from lesionctl.predict.jobs import Outputs, plan_jobs
from lesionctl.predict.manifest import Existing, Manifest, recipe_of
from lesionctl.predict.predict import Wishes, predict
from lesionctl.predict.shard import Shard
from lesionctl.runtime import stream


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}


def masks(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*_segmentation.png")}


def test_each_picture_has_a_mask_of_its_size_and_a_row(dark_is_lesion, plan):
    outcomes = list(predict(dark_is_lesion, plan()))
    assert [outcome.prediction.image.name for outcome in outcomes] == [
        f"DEMO_000000{number}.jpg" for number in range(5)
    ]
    for outcome in outcomes:
        found = outcome.prediction
        mask = read_mask(found.mask, strict=True)
        assert mask.shape == (found.height, found.width)
        assert found.measures.lesion_pixels == mask.sum()
        assert (found.model, found.model_digest, found.threshold) == ("dark", "da" * 32, 0.5)
        assert 0 < found.seconds < 60
        assert (outcome.polygons, outcome.thumbnail) == (None, None)


def test_bad_pictures_are_named_in_their_place_and_the_rest_is_done(dark_is_lesion, plan, scans):
    (scans / "DEMO_0000001.jpg").write_bytes(b"no picture")
    (scans / "DEMO_0000003.jpg").unlink()
    (scans / "DEMO_0000003.jpg").symlink_to("nowhere")
    outcomes = list(predict(dark_is_lesion, plan(), batch_size=2))
    assert [isinstance(outcome, Failure) for outcome in outcomes] == [False, True, False, True, False]
    assert outcomes[1].path.name == "DEMO_0000001.jpg"


def test_all_that_is_wanted_is_made(dark_is_lesion, plan):
    jobs = plan(outputs=Outputs(overlay=True, probabilities=True))
    wishes = Wishes(MaskForm.BITS1, polygons=True, thumbnail=True)
    for outcome in predict(dark_is_lesion, jobs, wishes):
        found = outcome.prediction
        assert outcome.thumbnail.shape == (192, 256, 3)
        assert outcome.polygons.area == pytest.approx(found.measures.lesion_pixels, rel=0.05)
        with (
            Image.open(found.mask) as mask,
            Image.open(found.probabilities) as levels,
            Image.open(found.overlay) as seen,
        ):
            assert (mask.mode, mask.size) == ("1", (found.width, found.height))
            assert levels.size == mask.size
            assert min(seen.size) <= 600
            probability = np.asarray(levels) / 65535
        # Without post-processing a pixel is lesion where its probability is above the threshold.
        assert np.mean((probability > 0.5) == read_mask(found.mask)) > 0.999


def test_a_mask_that_cannot_be_written_is_named(dark_is_lesion, plan, tmp_path):
    (tmp_path / "masks").write_text("a file where a folder should be")
    outcomes = list(predict(dark_is_lesion, plan()))
    assert all(isinstance(outcome, Failure) for outcome in outcomes)
    assert "its mask cannot be written to" in outcomes[0].reason


class Bench:
    """Runs that share a folder of masks."""

    def __init__(self, segmenter, plan, out):
        self.segmenter, self.plan, self.out = segmenter, plan, out

    def run(self, existing=Existing.REFUSE, *, recipe="a", stop_after=None, wishes=None, **about):
        jobs, seen, wishes = self.plan(**about), [], wishes or Wishes()
        with Manifest(self.out, recipe_of(recipe), Shard()) as manifest:
            done = manifest.survey(jobs, existing).done
            stop = lambda: stop_after is not None and len(seen) >= stop_after  # noqa: E731
            for outcome in predict(self.segmenter, jobs, wishes, done=done, manifest=manifest, stop=stop, batch_size=1):
                seen.append(outcome)
        return seen, done


@pytest.fixture
def bench(dark_is_lesion, plan, tmp_path):
    return Bench(dark_is_lesion, plan, tmp_path / "masks")


def test_the_same_again_does_nothing_and_says_the_same(bench):
    first, _ = bench.run()
    before, looked_at = files(bench.out), bench.segmenter.seen
    again, done = bench.run()
    assert (len(done), bench.segmenter.seen) == (5, looked_at)
    assert [a.prediction.to_dict() for a in again] == [b.prediction.to_dict() for b in first]
    assert [a.digest for a in again] == [b.digest for b in first]
    assert files(bench.out) == before


def test_a_stopped_run_is_gone_on_with(bench, scans):
    for number in range(20):  # more than are on their way at any time
        shutil.copy(scans / "DEMO_0000000.jpg", scans / f"more {number}.jpg")
    whole, _ = bench.run()
    expected = masks(bench.out)
    shutil.rmtree(bench.out)
    seen, _ = bench.run(stop_after=1)
    assert 0 < len(seen) < 25
    assert masks(bench.out).items() < expected.items()
    rest, done = bench.run()
    assert len(seen) <= len(done) < 25
    assert [found.prediction.image for found in rest] == [found.prediction.image for found in whole]
    assert masks(bench.out) == expected


def test_a_line_that_a_kill_cut_off_costs_one_picture(bench):
    bench.run()
    (path,) = (bench.out / ".lesionctl").glob("masks.*")
    path.write_bytes(path.read_bytes()[:-40])
    (bench.out / "DEMO_0000004_segmentation.png").unlink()  # a mask gets its name after its line
    _, done = bench.run()
    assert len(done) == 4
    assert len(bench.run()[1]) == 5


def test_masks_of_another_model_are_refused_or_replaced(bench):
    bench.run()
    with pytest.raises(UsageError, match="and 4 more, of another model or other settings"):
        bench.run(recipe="b")
    assert len(bench.run(Existing.REPLACE, recipe="b")[1]) == 0
    assert len(bench.run(recipe="b")[1]) == 5
    assert len(bench.run(Existing.OVERWRITE, recipe="b")[1]) == 0


def test_a_changed_picture_is_predicted_anew_and_the_rest_is_kept(bench, scans):
    bench.run()
    mask = bench.out / "DEMO_0000001_segmentation.png"
    before = mask.read_bytes()
    shutil.copy(scans / "DEMO_0000000.jpg", scans / "DEMO_0000001.jpg")
    assert len(bench.run()[1]) == 4
    assert mask.read_bytes() != before
    assert len(bench.run()[1]) == 5


def test_a_picture_that_changes_while_it_is_read_is_predicted_anew_by_the_next_run(bench, scans, monkeypatch):
    decode = stream.decode

    def change(path, *about):
        decoded = decode(path, *about)
        if path.name == "DEMO_0000001.jpg":
            shutil.copy(scans / "DEMO_0000000.jpg", path)
        return decoded

    monkeypatch.setattr(stream, "decode", change)
    bench.run()
    monkeypatch.undo()
    assert len(bench.run()[1]) == 4
    by_name = masks(bench.out)
    assert by_name["DEMO_0000000_segmentation.png"] == by_name["DEMO_0000001_segmentation.png"]


@pytest.mark.parametrize(
    ("existing", "recipe", "damage", "is_left"),
    [
        (Existing.REFUSE, "a", "changed", False),
        (Existing.REPLACE, "b", "changed", False),
        (Existing.REPLACE, "b", "gone", False),
        (Existing.OVERWRITE, "a", "gone", False),
        (Existing.REFUSE, "a", "gone", True),  # it is still the mask of what was there
        (Existing.REPLACE, "a", "gone", True),
    ],
)
def test_a_picture_that_fails_leaves_no_mask_of_another_model_or_picture(
    bench, scans, existing, recipe, damage, is_left
):
    outputs = Outputs(overlay=True, probabilities=True)
    bench.run(outputs=outputs)
    picture = scans / "DEMO_0000001.jpg"
    picture.write_bytes(b"no picture") if damage == "changed" else picture.unlink()
    scans_as_before = [Input(scans / f"DEMO_{number:07d}.jpg", Path(f"DEMO_{number:07d}.jpg")) for number in range(5)]
    bench.plan = lambda **about: plan_jobs(scans_as_before, bench.out, **about)
    seen, _ = bench.run(existing, recipe=recipe)
    assert [isinstance(outcome, Failure) for outcome in seen] == [False, True, False, False, False]
    assert len(list(bench.out.glob("DEMO_0000001_*"))) == (3 if is_left else 0)


def test_a_failed_picture_under_overwrite_leaves_somebody_else_s_mask(bench, scans):
    bench.out.mkdir()
    (bench.out / "DEMO_0000001_segmentation.png").write_bytes(b"a drawing by hand")
    (scans / "DEMO_0000001.jpg").write_bytes(b"no picture")
    bench.run(Existing.OVERWRITE)
    assert (bench.out / "DEMO_0000001_segmentation.png").read_bytes() == b"a drawing by hand"


@pytest.mark.parametrize("existing", [Existing.REPLACE, Existing.OVERWRITE])
def test_a_run_that_is_killed_between_line_and_mask_leaves_no_mask_of_another_model(bench, monkeypatch, existing):
    bench.run()

    def kill(path, _):
        raise KeyboardInterrupt if path.name.endswith("_segmentation.png") else AssertionError

    monkeypatch.setattr("lesionctl.predict.predict.write_bytes", kill)
    with pytest.raises(KeyboardInterrupt):
        bench.run(existing, recipe="b")
    monkeypatch.undo()
    assert len(masks(bench.out)) < 5
    assert len(bench.run(Existing.REPLACE, recipe="b")[1]) == 0
    assert len(bench.run(recipe="b")[1]) == 5


def test_side_files_count_only_where_they_were_made_with_the_mask_and_go_with_it(bench):
    both = Outputs(overlay=True, probabilities=True)
    bench.run(outputs=both)
    assert len(bench.run(outputs=both)[1]) == 5
    assert len(bench.run()[1]) == 5  # they are not asked for
    assert len(list(bench.out.glob("*_overlay.jpg"))) == 5
    bench.run(Existing.REPLACE, recipe="b")  # of another model, without them
    assert len(masks(bench.out)) == 5
    assert [*bench.out.glob("*_overlay.jpg"), *bench.out.glob("*_probability.png")] == []
    seen, done = bench.run(recipe="b", outputs=both)
    assert len(done) == 0
    assert all(outcome.prediction.overlay.stat().st_size > 1000 for outcome in seen)
    (bench.out / "DEMO_0000001_overlay.jpg").unlink()
    assert len(bench.run(recipe="b", outputs=both)[1]) == 4


@pytest.mark.parametrize("ending", ["_overlay.jpg", "_probability.png"])
@pytest.mark.parametrize("is_done", [False, True])
def test_a_file_of_somebody_else_in_the_place_of_a_side_file_is_kept_unless_all_is_overwritten(bench, ending, is_done):
    both = Outputs(overlay=True, probabilities=True)
    theirs = bench.out / f"DEMO_0000001{ending}"
    if is_done:
        bench.run(outputs=both)
    bench.out.mkdir(exist_ok=True)
    theirs.write_bytes(b"theirs")
    for existing in (Existing.REFUSE, Existing.REPLACE):
        with pytest.raises(UsageError, match=rf"DEMO_0000001{ending} exists already, and nothing says that this prog"):
            bench.run(existing, outputs=both)
    bench.run(Existing.REPLACE, recipe="b")  # which wants no such file, and leaves it where it is
    assert theirs.read_bytes() == b"theirs"
    bench.run(Existing.OVERWRITE, outputs=both)
    assert mark_of(theirs) is not None


def test_side_files_that_a_kill_left_without_a_mask_are_replaced(bench):
    both = Outputs(overlay=True, probabilities=True)
    bench.run(outputs=both)
    shutil.rmtree(bench.out / ".lesionctl")
    for name in masks(bench.out):
        (bench.out / name).unlink()
    assert len(bench.run(outputs=both)[0]) == 5


def test_what_was_done_before_is_not_looked_at_again_once_it_is_to_stop(bench):
    bench.run()
    assert bench.run(stop_after=0) == ([], bench.run()[1])


def test_what_is_wanted_beside_a_mask_is_made_too(bench):
    bench.run()
    looked_at = bench.segmenter.seen
    seen, done = bench.run(outputs=Outputs(overlay=True))
    assert (len(done), bench.segmenter.seen) == (0, looked_at + 5)
    assert all(outcome.prediction.overlay.exists() for outcome in seen)


def test_somebody_else_s_mask_is_not_touched(bench):
    bench.out.mkdir()
    mask = bench.out / "DEMO_0000002_segmentation.png"
    mask.write_bytes(b"a drawing by hand")
    for existing in (Existing.REFUSE, Existing.REPLACE):
        with pytest.raises(UsageError, match="nothing says that this program made it"):
            bench.run(existing)
        assert mask.read_bytes() == b"a drawing by hand"
    bench.run(Existing.OVERWRITE)
    assert read_mask(mask).any()


def test_polygons_and_thumbnails_of_what_was_done_before_come_from_its_mask(bench, plan):
    bench.run()
    wishes = Wishes(polygons=True, thumbnail=True)
    again, _ = bench.run(wishes=wishes)
    anew = list(predict(bench.segmenter, plan(), wishes))
    for one, other in zip(again, anew, strict=True):
        assert one.polygons == other.polygons
        assert np.array_equal(one.thumbnail, other.thumbnail)


def test_measures_are_made_once_where_they_are_wanted_of_what_was_done_before(bench, plan, monkeypatch):
    first, _ = bench.run(wishes=Wishes(measures=False))
    assert {outcome.prediction.measures for outcome in first} == {None}
    again, done = bench.run()
    assert len(done) == 5
    anew = list(predict(bench.segmenter, plan("elsewhere")))
    assert [one.prediction.measures for one in again] == [other.prediction.measures for other in anew]

    monkeypatch.setattr("lesionctl.predict.predict.decode", None)  # no picture is read once more
    monkeypatch.setattr("lesionctl.predict.predict.read_mask", None)
    third, _ = bench.run(wishes=Wishes(polygons=True, traced=frozenset(done)))
    assert [one.prediction.to_dict() for one in third] == [other.prediction.to_dict() for other in again]
