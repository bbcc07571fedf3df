"""The model in the box: it is small, it says what it is, and it finds lesions without any training."""

from __future__ import annotations

import numpy as np
import pytest

from lesionctl.drawing.paint import paint_scene
from lesionctl.drawing.scene import plan_scene
from lesionctl.nets.model_file import read_model_spec
from lesionctl.paths import BUNDLED_MODELS, DEFAULT_MODEL
from lesionctl.runtime.load import bundled_models, find_model, load_segmenter
from lesionctl.scoring.counts import count
from lesionctl.scoring.overlap import dice

MAX_BYTES = 12_000_000


def test_the_default_model_is_bundled():
    assert DEFAULT_MODEL in bundled_models()
    assert find_model(DEFAULT_MODEL).parent == BUNDLED_MODELS


@pytest.mark.parametrize("name", bundled_models())
def test_a_bundled_model_is_small_and_has_a_card_that_is_about_it(name):
    path = find_model(name)
    spec = read_model_spec(path)
    card = path.with_suffix(".md").read_text()
    assert path.stat().st_size <= MAX_BYTES
    assert spec.name == name
    assert spec.training_digest in card
    assert f"threshold is {spec.threshold}" in card
    assert spec.net.encoder in card
    for word in ("licence", "not a medical device", "lesionctl train", "lesionctl eval"):
        assert word in card.replace("Licence", "licence")


def test_the_default_model_finds_drawn_lesions_that_it_has_never_seen():
    segmenter = load_segmenter(DEFAULT_MODEL, "cpu")
    pictures = [paint_scene(1, plan_scene(1, number)) for number in range(12)]
    scores = [
        dice(count(segmenter.mask(probability, segmenter.spec.frame(*truth.shape)), truth))
        for (_, truth), probability in zip(pictures, segmenter.segment([image for image, _ in pictures]), strict=True)
    ]
    assert np.mean(scores) > 0.8
