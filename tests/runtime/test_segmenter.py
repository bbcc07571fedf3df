"""From probabilities to a mask: restored, thresholded and post-processed, in one place."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from lesionctl.imaging.postprocess import Postprocess
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.runtime.segmenter import Segmenter


class Fixed(Segmenter):
    """Says the same of every picture."""

    backend = "none"

    def __init__(self, spec, probability):
        self.spec = spec
        self.probability = probability

    def forward(self, batch):
        return np.stack([self.probability] * len(batch))


@pytest.fixture
def two_squares():
    """Probabilities of 64 by 64: a square of 16 with a hole of 4, and one of 8, at 0.9, on 0.1."""
    probability = np.full((64, 64), 0.1, np.float32)
    probability[8:24, 8:24] = probability[40:48, 40:48] = 0.9
    probability[14:18, 14:18] = 0.1
    return probability


@pytest.mark.parametrize(
    ("postprocess", "pixels"),
    [
        (Postprocess(), 16 * 16 - 4 * 4 + 8 * 8),
        (Postprocess(True, True), 16 * 16),
        (Postprocess(smallest_area=0.02), 16 * 16 - 4 * 4),  # 64 pixels are 0.0156 of the picture
    ],
)
def test_a_mask_is_post_processed_at_the_picture_s_own_size(tiny_spec, two_squares, postprocess, pixels):
    segmenter = Fixed(replace(tiny_spec, postprocess=postprocess), two_squares)
    assert segmenter.mask(two_squares, segmenter.spec.frame(64, 64)).sum() == pixels
    mask = segmenter.mask(two_squares, segmenter.spec.frame(256, 320))
    assert (mask.shape, mask.dtype) == ((256, 320), np.bool_)
    assert mask.sum() == pytest.approx(pixels * 20, rel=0.1)


def test_post_processing_travels_in_the_model_file_where_it_does_something(tiny_spec):
    spec = replace(tiny_spec, postprocess=Postprocess(True, True, 0.005))
    assert ModelSpec.from_json(spec.to_json()) == spec
    assert "postprocess" not in json.loads(tiny_spec.to_json())
    assert ModelSpec.from_json(tiny_spec.to_json()).postprocess == Postprocess()


@pytest.mark.parametrize("postprocess", [{"smallest_area": 2}, {"erode": 1}, 3])
def test_post_processing_that_is_none_is_refused(tiny_spec, postprocess):
    values = json.loads(tiny_spec.to_json()) | {"postprocess": postprocess}
    with pytest.raises(ValueError, match=r"no share|does not describe a model"):
        ModelSpec.from_json(json.dumps(values))
