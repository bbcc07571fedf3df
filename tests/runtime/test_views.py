"""Eight views of each picture: their answers come back to where they belong, and their mean and spread are told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.runtime.ensemble import EnsembleSegmenter
from lesionctl.runtime.segmenter import Segmenter
from lesionctl.runtime.views import DihedralSegmenter


class Brightness(Segmenter):
    """Says of each pixel how bright it is, whichever way the picture lies; keeps what it was given."""

    backend = "torch fp32 cpu"
    parameters = 7

    def __init__(self, spec):
        self.spec = spec
        self.given = []

    def forward(self, batch):
        self.given.append(batch)
        assert batch.flags.c_contiguous
        return batch.mean(-1, dtype=np.float32) / np.float32(255)


class LeftHalf(Brightness):
    """Finds a lesion in the left half of whatever it is given."""

    def forward(self, batch):
        found = np.zeros(batch.shape[:3], np.float32)
        found[:, :, : batch.shape[2] // 2] = 1
        return found


class TopLeftPixel(Brightness):
    """Finds a lesion in the first pixel of whatever it is given."""

    def forward(self, batch):
        found = np.zeros(batch.shape[:3], np.float32)
        found[:, 0, 0] = 1
        return found


@pytest.fixture
def batch():
    return np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


def test_a_network_that_does_not_mind_how_a_picture_lies_answers_as_it_does_alone(tiny_spec, batch):
    alone = Brightness(tiny_spec)
    probabilities, spread = DihedralSegmenter(alone).forward_with_spread(batch)
    np.testing.assert_array_equal(probabilities, alone.forward(batch))
    np.testing.assert_array_equal(spread, 0)
    assert (probabilities.dtype, spread.dtype) == (np.float32, np.float32)
    np.testing.assert_array_equal(DihedralSegmenter(alone).forward(batch), probabilities)


def test_the_eight_views_are_all_different(tiny_spec, batch):
    network = Brightness(tiny_spec)
    DihedralSegmenter(network).forward(batch)
    assert len({view.tobytes() for view in network.given}) == len(network.given) == 8


def test_a_network_that_minds_it_is_averaged_and_its_doubt_is_told(tiny_spec, batch):
    probabilities, spread = DihedralSegmenter(LeftHalf(tiny_spec)).forward_with_spread(batch)
    np.testing.assert_allclose(probabilities, 0.5)  # each half is the left one in half of the views
    np.testing.assert_allclose(spread, 0.5)


def test_each_view_is_turned_back_the_way_it_was_turned(tiny_spec, batch):
    probabilities, spread = DihedralSegmenter(TopLeftPixel(tiny_spec)).forward_with_spread(batch)
    expected = np.zeros((64, 64))
    expected[[0, 0, -1, -1], [0, -1, 0, -1]] = 0.25  # each corner is the first pixel of two views
    np.testing.assert_allclose(probabilities, np.stack([expected] * 3))
    np.testing.assert_allclose(spread[0, 0, 0], np.sqrt(0.25 * 0.75))


@pytest.mark.parametrize("shape", [(40, 64), (41, 64), (64, 27)])
def test_a_padded_picture_is_where_it_was(tiny_spec, shape):
    padded = Brightness(replace(tiny_spec, resize=ResizeRule.PAD))
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    frame = padded.spec.frame(*shape)
    probability = DihedralSegmenter(padded).segment([image])[0]
    np.testing.assert_allclose(frame.restore(probability), image.mean(-1) / 255, atol=1e-6)
    outside = np.ones((64, 64), bool)
    outside[frame.top : frame.top + frame.rows, frame.left : frame.left + frame.columns] = False
    np.testing.assert_array_equal(probability[outside], 0)


def test_everything_but_the_views_is_the_model_s_own(tiny_spec):
    network = Brightness(tiny_spec)
    network.digest = "ab" * 32
    views = DihedralSegmenter(network)
    assert (views.spec, views.digest) == (tiny_spec, "ab" * 32)
    assert views.backend == "torch fp32 cpu ×8 views"
    assert views.parameters == 7


def test_of_several_models_the_spread_is_that_over_all_views_of_each(tiny_spec, batch):
    ensemble = EnsembleSegmenter([Brightness(tiny_spec), LeftHalf(tiny_spec)])
    probabilities, spread = DihedralSegmenter(ensemble).forward_with_spread(batch)
    bright = Brightness(tiny_spec).forward(batch)
    answers = np.concatenate([[bright] * 8, [np.zeros_like(bright)] * 4, [np.ones_like(bright)] * 4])
    np.testing.assert_allclose(probabilities, answers.mean(0), atol=1e-6)
    np.testing.assert_allclose(spread, answers.std(0), atol=1e-6)


def test_one_model_s_single_answer_has_no_spread(tiny_spec, batch):
    probabilities, spread = Brightness(tiny_spec).forward_with_spread(batch)
    np.testing.assert_array_equal(probabilities, Brightness(tiny_spec).forward(batch))
    assert spread is None


def test_the_spread_of_an_ensemble_is_that_of_its_members(tiny_spec, batch):
    members = [LeftHalf(tiny_spec), TopLeftPixel(replace(tiny_spec, size=32)), LeftHalf(tiny_spec)]
    probabilities, spread = EnsembleSegmenter(members).forward_with_spread(batch)
    np.testing.assert_array_equal(probabilities, EnsembleSegmenter(members).forward(batch))
    np.testing.assert_allclose(probabilities[:, 40, 10], 2 / 3, rtol=1e-6)
    np.testing.assert_allclose(spread[:, 40, 10], np.sqrt(2) / 3, rtol=1e-6)  # of 1, 0 and 1
    np.testing.assert_array_equal(spread[:, 40, 50], 0)
