from __future__ import annotations

import shutil
import tempfile

import pytest

from lesionctl.bench.prediction import PredictAll, PredictEach
from lesionctl.errors import BadFile
from lesionctl.runtime.load import load_segmenter


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """The folder in which temporary files are made."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def segmenter(model_file, monkeypatch):
    """The tiny model; it keeps the sizes of the batches that it was given as `batches`."""
    segmenter = load_segmenter(str(model_file), "cpu")
    forward, segmenter.batches = segmenter.forward, []
    monkeypatch.setattr(segmenter, "forward", lambda batch: (segmenter.batches.append(len(batch)), forward(batch))[1])
    return segmenter


@pytest.fixture
def pictures(demo):
    return sorted((demo / "images").iterdir())[:3]


def test_each_picture_is_a_run_of_its_own(segmenter, pictures, scratch):
    probe = PredictEach(segmenter, pictures)
    seconds = probe.run()
    assert (probe.images, len(seconds), segmenter.batches) == (1, 3, [1, 1, 1])
    assert min(seconds) > 0
    assert len(probe.run()) == 3
    assert not list(scratch.iterdir())


def test_all_pictures_are_one_run_in_batches(segmenter, pictures, scratch):
    probe = PredictAll(segmenter, pictures, 2)
    seconds = probe.run()
    assert (probe.images, len(seconds), segmenter.batches) == (3, 1, [2, 1])
    assert seconds[0] > 0
    assert not list(scratch.iterdir())


def test_pictures_of_two_folders_may_have_the_same_name(segmenter, pictures, tmp_path):
    shutil.copy(pictures[1], tmp_path / pictures[0].name)
    assert len(PredictAll(segmenter, [pictures[0], tmp_path / pictures[0].name], 2).run()) == 1


@pytest.mark.parametrize("probe", [PredictEach, lambda segmenter, paths: PredictAll(segmenter, paths, 2)])
def test_a_picture_that_cannot_be_used_ends_it_by_name_and_leaves_nothing(
    segmenter, pictures, tmp_path, scratch, probe
):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"x")
    with pytest.raises(BadFile, match=r"bad\.jpg: not a picture") as caught:
        probe(segmenter, [*pictures, bad]).run()
    assert "can be used" in caught.value.hint
    assert not list(scratch.iterdir())
