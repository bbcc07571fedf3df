from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lesionctl.dataset.store import open_store
from lesionctl.evaluate.model import evaluate_model
from lesionctl.imaging.masks import read_mask
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import NetSpec
from lesionctl.runtime.segmenter import Segmenter


class DarkIsLesion(Segmenter):
    """Takes dark pixels for lesion: a model whose answer a test can know."""

    backend = "none"

    def __init__(self, threshold: float = 0.5) -> None:
        self.spec = ModelSpec(NetSpec("none"), 64, (0.5,) * 3, (0.5,) * 3, threshold=threshold, name="dark")

    def forward(self, batch):
        return (1 - batch.mean(-1, dtype=np.float32) / 255).astype(np.float32)


@pytest.fixture
def samples(store_path):
    return open_store(store_path).samples


def test_every_sample_is_scored_at_its_mask_s_own_size(samples):
    evaluation = evaluate_model(DarkIsLesion(), samples, "demo")
    assert evaluation.failures == []
    for sample, image in zip(samples, evaluation.images, strict=True):
        truth = read_mask(sample.mask)
        counts = image.counts
        assert image.id == sample.id
        assert counts.tp + counts.fn == truth.sum()
        assert counts.tp + counts.fp + counts.fn + counts.tn == truth.size
    assert evaluation.board.roc_auc() > 0.6  # lesions are darker than skin


def test_threshold_above_everything_finds_nothing(samples):
    evaluation = evaluate_model(DarkIsLesion(threshold=1.0), samples, "demo")
    assert evaluation.board.confusion().tp == 0
    assert evaluation.board.per_image()["dice"] == 0


def test_a_picture_that_is_gone_counts_as_nothing_found_and_is_named(samples, tmp_path):
    lost = replace(samples[0], image=tmp_path / "gone.jpg")
    evaluation = evaluate_model(DarkIsLesion(), [lost, *samples[1:3]], "demo")
    assert [failure.path.name for failure in evaluation.failures] == ["gone.jpg"]
    assert evaluation.images[0].counts.tp == evaluation.images[0].counts.fp == 0
    assert len(evaluation.images) == 3


def test_a_truth_that_is_gone_has_no_score_and_is_named(samples, tmp_path):
    lost = replace(samples[0], mask=tmp_path / "gone.png")
    evaluation = evaluate_model(DarkIsLesion(), [lost, *samples[1:3]], "demo")
    assert [failure.path.name for failure in evaluation.failures] == ["gone.png"]
    assert len(evaluation.images) == 2
