"""Several models answer as one: the mean of what they say, and a spec that hides nothing of what they have seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lesionctl.dataset.exposure import Exposure
from lesionctl.errors import UsageError
from lesionctl.imaging.postprocess import Postprocess
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.runtime.ensemble import EnsembleSegmenter
from lesionctl.runtime.segmenter import Segmenter


class Says(Segmenter):
    """Says the same number of every pixel, or without one how bright it is; keeps the shapes that it was given."""

    def __init__(self, spec, number=None, backend="torch fp32 cpu"):
        self.spec = spec
        self.number = number
        self.backend = backend
        self.given = []

    def forward(self, batch):
        self.given.append(batch.shape)
        brightness = batch.mean(-1, dtype=np.float32) / np.float32(255)
        return brightness if self.number is None else np.full_like(brightness, self.number)


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)


def test_probabilities_are_the_mean_of_the_members(tiny_spec, picture):
    ensemble = EnsembleSegmenter([Says(tiny_spec, number) for number in (0.1, 0.2, 0.9)])
    probability = ensemble.segment([picture, picture])
    assert (probability.shape, probability.dtype) == ((2, 64, 64), np.float32)
    np.testing.assert_allclose(probability, 0.4, atol=1e-6)


def test_members_of_any_size_see_the_whole_picture_at_their_own(tiny_spec):
    small, large = Says(replace(tiny_spec, size=32)), Says(tiny_spec)
    ensemble = EnsembleSegmenter([small, large])
    assert ensemble.spec.size == 64
    left_is_bright = np.zeros((40, 60, 3), np.uint8)
    left_is_bright[:, :30] = 255
    probability = ensemble.segment([left_is_bright] * 3)
    assert (small.given, large.given) == ([(3, 32, 32, 3)], [(3, 64, 64, 3)])
    np.testing.assert_array_equal(probability[:, :, :28], 1)  # scaling blurs a few columns about the edge
    np.testing.assert_array_equal(probability[:, :, 36:], 0)
    alone = large.segment([left_is_bright])
    np.testing.assert_array_equal(probability > 0.5, np.repeat(alone, 3, 0) > 0.5)


def test_one_member_says_what_it_says_alone(tiny_spec, picture):
    np.testing.assert_array_equal(
        EnsembleSegmenter([Says(tiny_spec)]).segment([picture]), Says(tiny_spec).segment([picture])
    )


def test_its_spec_is_made_of_theirs(tiny_spec, make_sample):
    seen = [Exposure.of([make_sample(name)]) for name in "AB"]
    one = replace(tiny_spec, threshold=0.3, seen=seen[0], ancestors=("cd" * 32,))
    other = replace(
        tiny_spec, name="big", threshold=0.6, size=96, licence="CC BY 4.0", training_digest="ef" * 32, seen=seen[1]
    )
    spec = EnsembleSegmenter([Says(one), Says(other), Says(one)]).spec
    assert spec.threshold == pytest.approx(0.4)
    assert (spec.size, spec.name, spec.licence) == (96, "tiny ×2 + big", "CC0; CC BY 4.0")
    assert spec.training_data == "nothing"
    assert spec.training_digest == "ab" * 32 + "+" + "ef" * 32
    assert spec.ancestors == ("cd" * 32,)
    assert spec.scores == {}
    assert spec.seen.complete
    assert [spec.seen.has_seen(make_sample(name)) for name in "ABC"] == [True, True, False]


def test_one_member_that_does_not_say_what_it_has_seen_leaves_all_in_doubt(tiny_spec, make_sample):
    known = replace(tiny_spec, seen=Exposure.of([make_sample("A")]))
    seen = EnsembleSegmenter([Says(known), Says(tiny_spec)]).spec.seen
    assert not seen.complete
    assert [seen.has_seen(make_sample(name)) for name in "AB"] == [True, None]


@pytest.mark.parametrize(
    ("theirs", "its"),
    [
        ([Postprocess(True, True)] * 2, Postprocess(True, True)),
        ([Postprocess(True, True), Postprocess(False, True, 0.01)], Postprocess(fill_holes=True)),
        ([Postprocess(False, True, 0.01), Postprocess(False, True, 0.005)], Postprocess(False, True, 0.005)),
        ([Postprocess(True), Postprocess()], Postprocess()),
    ],
)
def test_post_processing_is_what_all_members_do(tiny_spec, theirs, its):
    members = [Says(replace(tiny_spec, postprocess=postprocess)) for postprocess in theirs]
    assert EnsembleSegmenter(members).spec.postprocess == its


def test_backends_are_named_and_may_be_mixed(tiny_spec):
    backends = ["torch fp32 cpu", "onnx fp32 cpu", "torch fp32 cpu"]
    ensemble = EnsembleSegmenter([Says(tiny_spec, backend=backend) for backend in backends])
    assert ensemble.backend == "torch fp32 cpu ×2 + onnx fp32 cpu"


def test_members_that_make_squares_differently_are_refused(tiny_spec):
    padded = replace(tiny_spec, name="padded", resize=ResizeRule.PAD)
    with pytest.raises(UsageError, match=r"tiny and padded cannot be used together: .* 'squash', the other by 'pad'"):
        EnsembleSegmenter([Says(tiny_spec), Says(padded)])


@pytest.mark.parametrize(("theirs", "its"), [((0.6, 0.7), 0.65), ((None, 0.7), 0.7), ((None, None), None)])
def test_its_limit_of_confidence_is_the_mean_of_those_that_have_one(tiny_spec, theirs, its):
    members = [Says(replace(tiny_spec, confidence_limit=limit)) for limit in theirs]
    limit = EnsembleSegmenter(members).spec.confidence_limit
    assert limit == (None if its is None else pytest.approx(its))
