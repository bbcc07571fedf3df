"""From files to probabilities, in order, with the bad ones named in their place."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from lesionctl.errors import Failure
from lesionctl.imaging.decode import decode
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import UNetSpec
from lesionctl.runtime.segmenter import Segmenter
from lesionctl.runtime.stream import segment_files


class Red(Segmenter):
    """Takes the red of a pixel for its probability, and notes how many pictures came at a time."""

    backend = "red"

    def __init__(self):
        self.spec = ModelSpec(UNetSpec("none"), 16, (0.0,) * 3, (1.0,) * 3)
        self.batches = []

    def forward(self, batch):
        self.batches.append(len(batch))
        return batch[..., 0].astype(np.float32) / 255


@pytest.fixture
def files(tmp_path):
    """Ten pictures of different sizes and shades of red; the third and the last are broken."""
    paths = []
    for number in range(10):
        path = tmp_path / f"{number}.png"
        Pillow.new("RGB", (20 + number, 30), (20 * number, 0, 0)).save(path)
        paths.append(path)
    paths[2].write_bytes(b"")
    paths[9].unlink()
    return paths


@pytest.mark.parametrize("batch_size", [1, 3, 8, 100])
def test_every_file_comes_out_in_its_place(files, batch_size):
    results = list(segment_files(Red(), files, batch_size=batch_size))
    assert [result.path for result in results] == files
    for number, result in enumerate(results):
        if number in (2, 9):
            assert isinstance(result, Failure)
        else:
            np.testing.assert_allclose(result.probability, 20 * number / 255, atol=1e-6)
            assert (result.frame.height, result.frame.width) == (30, 20 + number)
            assert result.image is None
    assert results[2].reason == "the file is empty"
    assert "No such file" in results[9].reason


@pytest.mark.parametrize(("batch_size", "batches"), [(4, [3, 4, 1]), (100, [8]), (1, [1] * 8)])
def test_network_runs_on_the_good_files_of_a_batch(files, batch_size, batches):
    red = Red()
    list(segment_files(red, files, batch_size=batch_size))
    assert red.batches == batches


def test_nothing_but_bad_files_needs_no_network(files):
    red = Red()
    assert all(isinstance(result, Failure) for result in segment_files(red, [files[2], files[9]]))
    assert red.batches == []


def test_decoded_pictures_are_kept_on_request(tmp_path):
    Pillow.new("RGB", (800, 600), (90, 0, 0)).save(tmp_path / "a.jpg")
    (kept,) = segment_files(Red(), [tmp_path / "a.jpg"], keep_side=100)
    assert kept.image.shape == (100, 133, 3)
    assert (kept.frame.height, kept.frame.width) == (600, 800)


def test_a_picture_that_is_kept_does_not_change_what_the_network_sees(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    Pillow.fromarray(noise).save(tmp_path / "a.jpg")
    (alone,) = segment_files(Red(), [tmp_path / "a.jpg"])
    for side in (8, 100, 400, 5000):  # 16 is what the network needs: JPEG's scales would differ
        (kept,) = segment_files(Red(), [tmp_path / "a.jpg"], keep_side=side)
        np.testing.assert_array_equal(kept.view, alone.view)
        assert min(kept.image.shape[:2]) == min(side, 600)


def test_files_are_read_lazily(files):
    read = []

    def paths():
        for path in files[3:9] * 10:
            read.append(path)
            yield path

    results = segment_files(Red(), paths(), batch_size=2)
    assert decode(next(results).path).height == 30
    assert len(read) < 20
    results.close()
