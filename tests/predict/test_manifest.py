"""What is known of the masks of a folder, whoever wrote the lines about them, and however broken those are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lesionctl.errors import Failure, LesionctlError, UsageError
from lesionctl.imaging.masks import read_mask
from lesionctl.predict.jobs import Outputs
from lesionctl.predict.manifest import Existing, Manifest, digest_of, recipe_of
from lesionctl.predict.predict import predict
from lesionctl.predict.same_picture import glance, sign
from lesionctl.predict.shard import Shard

RECIPE = recipe_of("a")


@pytest.fixture
def out(dark_is_lesion, plan, tmp_path):
    """A folder of five masks of ours."""
    out = tmp_path / "masks"
    with Manifest(out, RECIPE, Shard()) as manifest:
        assert not any(isinstance(found, Failure) for found in predict(dark_is_lesion, plan(), manifest=manifest))
    return out


def lines(out):
    (path,) = (out / ".lesionctl").glob("masks.*")
    return path, [json.loads(line) for line in path.read_text().splitlines()]


def survey(out, jobs, existing=Existing.REFUSE, recipe=RECIPE, shard=Shard(), **about):  # noqa: B008 - it is a tuple
    with Manifest(out, recipe, shard) as manifest:
        return manifest.survey(jobs, existing, **about)


def test_a_line_says_when_what_of_and_how_a_mask_was_made(out, scans):
    _, found = lines(out)
    assert [line["mask"] for line in found] == [f"DEMO_{number:07d}_segmentation.png" for number in range(5)]
    for line in found:
        assert list(line) == ["format", "time", "mask", "recipe", "picture", "digest", "row"]
        assert (line["format"], line["recipe"]) == (1, RECIPE)
        content = (out / line["mask"]).read_bytes()
        assert line["digest"] == digest_of(content)
        assert line["digest"].split("-")[0] == str(len(content))
        picture = scans / line["mask"].replace("_segmentation.png", ".jpg")
        assert tuple(line["picture"]) == sign(picture, glance(picture))
        assert line["row"]["lesion_pixels"] == read_mask(out / line["mask"]).sum()


def test_digest_is_size_and_blake2b():
    assert digest_of(b"abc") == "3-cf4ab791c62b8d2b2109c90275287816"


@pytest.mark.parametrize("damage", [lambda whole: whole[:-1], lambda _: b"", lambda whole: whole + b"\0"])
def test_a_mask_that_is_not_as_it_was_made_is_somebody_else_s(out, plan, damage):
    mask = out / "DEMO_0000003_segmentation.png"
    mask.write_bytes(damage(mask.read_bytes()))
    for existing in (Existing.REFUSE, Existing.REPLACE):
        with pytest.raises(UsageError, match=r"DEMO_0000003_segmentation\.png exists already, and nothing says"):
            survey(out, plan(), existing)
    assert survey(out, plan(), Existing.OVERWRITE).done == {}


def test_of_several_lines_the_latest_counts_whichever_file_it_is_in(out, plan):
    path, found = lines(out)
    for name, later in (("masks.1-of-2.jsonl", -1), ("masks.2-of-2.jsonl", 1)):
        other = found[0] | {"recipe": "b", "time": found[0]["time"] + later}
        (path.parent / name).write_text(json.dumps(other) + "\n")
        os.utime(path.parent / name, ns=(0, 0))
        if later < 0:
            assert len(survey(out, plan()).done) == 5
    with pytest.raises(UsageError, match="of another model or other settings"):
        survey(out, plan())
    assert len(survey(out, plan(), Existing.REPLACE).done) == 4


def test_a_new_line_is_the_latest_though_another_machine_s_clock_is_ahead(out, plan, dark_is_lesion):
    path, found = lines(out)
    path.write_text("".join(json.dumps(line | {"time": 2**62}) + "\n" for line in found))
    jobs = plan()
    with Manifest(out, "b", Shard()) as manifest:
        manifest.survey(jobs, Existing.REPLACE)
        list(predict(dark_is_lesion, jobs, manifest=manifest))
    assert len(survey(out, jobs, recipe="b").done) == 5


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe",
        b"[]",
        b"1",
        b"null",
        b'{"format": 1}',
        b'{"format": 1, "time": 9e18, "mask": "DEMO_0000000_segmentation.png"}',
        b'{"format": 1, "time": "late", "mask": "DEMO_0000000_segmentation.png"}',
        b'{"format": 1, "time": 9000000000000000000, "mask": ["DEMO_0000000_segmentation.png"]}',
        b"[" * 100_000,
    ],
)
def test_lines_that_are_none_are_as_if_they_were_not_there(out, plan, line):
    path, _ = lines(out)
    path.write_bytes(path.read_bytes() + line + b"\n")
    assert len(survey(out, plan()).done) == 5


@pytest.mark.parametrize(
    "other",
    [
        {"format": 2},
        {"format": None},
        {"picture": None},
        {"picture": [1, 2, 3]},
        {"picture": ["x", 2, 3, 4, "y"]},
        {"row": []},
        {"row": {}},
        {"row": None},
        {"row": 3},
    ],
)
def test_lines_of_another_format_or_that_miss_something_are_as_if_they_were_not_there(out, plan, other):
    path, found = lines(out)
    path.write_bytes(path.read_bytes() + json.dumps(found[0] | other | {"time": 2**62}).encode() + b"\n")
    assert len(survey(out, plan()).done) == 5


def test_a_manifest_cut_at_any_byte_costs_the_line_that_was_cut(out, plan):
    path, _ = lines(out)
    whole, masks = path.read_bytes(), sorted(out.glob("*.png"))
    for cut in range(0, len(whole) - 1, 97):
        path.write_bytes(whole[:cut])
        count = whole[:cut].count(b"\n")
        hidden = [mask.rename(f"{mask}.hidden") for mask in masks[count:]]  # a mask gets its name after its line
        assert len(survey(out, plan()).done) == count
        for mask in hidden:
            mask.rename(str(mask).removesuffix(".hidden"))


def test_only_what_is_asked_for_is_kept(out, plan):
    with Manifest(out, RECIPE, Shard()) as manifest:
        assert len(manifest.survey(plan()[:2], Existing.REFUSE).done) == 2
        assert len(manifest._entries) == 2


def test_changed_pictures_are_counted_and_those_that_have_gone_are_not_done(out, plan, scans):
    jobs = plan()
    os.utime(scans / "DEMO_0000000.jpg", ns=(1, 1))
    (scans / "DEMO_0000001.jpg").unlink()
    standing = survey(out, jobs)
    assert standing.changed == 1
    assert list(standing.done) == [job.mask for job in jobs[2:]]


def test_a_mask_that_cannot_be_looked_at_fails_by_itself_and_stays(out, plan, dark_is_lesion):
    jobs = plan()
    jobs[1].mask.unlink()
    jobs[1].mask.mkdir()
    with Manifest(out, RECIPE, Shard()) as manifest:
        done = manifest.survey(jobs, Existing.REPLACE).done
        outcomes = list(predict(dark_is_lesion, jobs, done=done, manifest=manifest))
    assert [isinstance(outcome, Failure) for outcome in outcomes] == [False, True, False, False, False]
    assert outcomes[1].reason == f"its mask {jobs[1].mask} cannot be looked at (Is a directory)"
    assert jobs[1].mask.is_dir()


def test_a_name_that_no_mask_can_have_fails_by_itself(out, plan, scans, dark_is_lesion):
    (scans / "DEMO_0000001.jpg").rename(scans / f"{'x' * 250}.jpg")
    jobs = plan()
    with Manifest(out, RECIPE, Shard()) as manifest:
        done = manifest.survey(jobs, Existing.REPLACE).done
        outcomes = list(predict(dark_is_lesion, jobs, done=done, manifest=manifest))
    (failure,) = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert "File name too long" in failure.reason


def test_side_files_that_are_not_there_make_a_mask_undone(out, plan):
    assert len(survey(out, plan(outputs=Outputs(overlay=True))).done) == 0


def repeated(found, times):
    return "".join(json.dumps(line | {"time": line["time"] + turn}) + "\n" for turn in range(times) for line in found)


@pytest.mark.parametrize(("times", "left"), [(2, 10), (3, 5)])
def test_a_file_with_more_than_two_lines_for_a_mask_is_written_anew_with_the_latest(out, plan, times, left):
    path, found = lines(out)
    path.write_text(repeated(found, times))
    assert len(survey(out, plan()[:1]).done) == 1  # the lines of masks that nobody asked about stay
    _, now = lines(out)
    assert len(now) == left
    assert now[-5:] == [line | {"time": line["time"] + times - 1} for line in found]
    assert len(survey(out, plan()).done) == 5
    assert sorted(file.name for file in path.parent.iterdir()) == [".door", path.name]


def test_a_file_of_another_share_and_lines_of_another_version_are_not_touched(out, plan):
    path, found = lines(out)
    other = path.with_name("masks.1-of-2.jsonl")
    other.write_text(repeated(found, 9))
    newer = "".join(json.dumps(line | {"format": 2}) + "\n" for line in found)
    path.write_text(repeated(found, 9) + newer * 3)
    survey(out, plan())
    assert len(other.read_text().splitlines()) == 45
    assert path.read_text() == repeated([line | {"time": line["time"] + 8} for line in found], 1) + newer * 3


def test_a_kill_while_a_file_is_written_anew_costs_nothing(out, plan, monkeypatch):
    path, found = lines(out)
    before = repeated(found, 5)
    path.write_text(before)
    monkeypatch.setattr("os.replace", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        survey(out, plan())
    monkeypatch.undo()
    assert path.read_text() == before
    jobs = plan()
    with Manifest(out, RECIPE, Shard()) as manifest:
        assert len(manifest.survey(jobs, Existing.REFUSE).done) == 5
        entry = manifest._entries[jobs[0].mask.name]
        manifest.record(jobs[0], entry.prediction, entry.picture, entry.digest)  # the new file is gone on with
    assert len(lines(out)[1]) == 6
    assert sorted(file.name for file in path.parent.iterdir()) == [".door", path.name]


def test_making_masks_anew_time_and_again_keeps_the_file_small(out, plan, dark_is_lesion):
    for _ in range(7):
        jobs = plan()
        with Manifest(out, RECIPE, Shard()) as manifest:
            manifest.survey(jobs, Existing.OVERWRITE)
            list(predict(dark_is_lesion, jobs, manifest=manifest))
        assert len(lines(out)[1]) <= 15  # 5 masks


def test_nothing_is_looked_at_once_it_is_to_stop(out, plan):
    assert survey(out, plan(), stop=lambda: True).done == {}


def test_one_process_at_a_time_works_on_a_share(out):
    with (
        Manifest(out, RECIPE, Shard()),
        pytest.raises(LesionctlError, match=r"another process is writing .*masks\.1-of-1\.jsonl"),
        Manifest(out, RECIPE, Shard()),
    ):
        pass
    with Manifest(out, RECIPE, Shard(1, 2)), Manifest(out, RECIPE, Shard(2, 2)):
        pass
    names = ["masks.1-of-1.jsonl", "masks.1-of-2.jsonl", "masks.2-of-2.jsonl"]
    assert sorted(path.name for path in (out / ".lesionctl").glob("*masks*")) == names


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "masks").touch()
    with pytest.raises(LesionctlError, match=f"{tmp_path}/masks"), Manifest(tmp_path / "masks", RECIPE, Shard()):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a Linux device")
def test_a_full_disk_makes_failures_and_no_traceback_and_the_same_call_goes_on(out, plan, dark_is_lesion):
    jobs = plan("other")
    with Manifest(jobs[0].mask.parent, RECIPE, Shard()) as manifest:
        manifest._file._file = Path("/dev/full").open("ab")  # noqa: SIM115 - the manifest closes it
        found = list(predict(dark_is_lesion, jobs, manifest=manifest))
        assert all("No space left on device" in failure.reason for failure in found)
    assert survey(out.with_name("other"), jobs).done == {}
    with Manifest(jobs[0].mask.parent, RECIPE, Shard()) as manifest:
        assert not any(isinstance(outcome, Failure) for outcome in predict(dark_is_lesion, jobs, manifest=manifest))
