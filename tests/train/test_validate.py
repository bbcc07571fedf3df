"""Validation scores what the segmenter gives, at the store's resolution, with the segmenter's own threshold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lesionctl.dataset.native_masks import pack
from lesionctl.dataset.store import StoreWriter, open_store
from lesionctl.imaging.postprocess import Postprocess
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import UNetSpec
from lesionctl.runtime.segmenter import Segmenter
from lesionctl.train.distributed.ranks import Ranks
from lesionctl.train.validate import paint_overlays, predict_rows, score_rows


class Red(Segmenter):
    """Takes the red of a pixel for its probability."""

    backend = "red"

    def __init__(self, size=8, threshold=0.5):
        self.spec = ModelSpec(UNetSpec("none"), size, (0.0,) * 3, (1.0,) * 3, threshold=threshold)

    def forward(self, batch):
        return batch[..., 0].astype(np.float32) / 255


@pytest.fixture
def store(tmp_path, make_sample):
    """Twenty pictures of 8 by 8: red 200 on the left half, 100 on a quarter; the lesion is the left half."""
    writer = StoreWriter(tmp_path, 8, ResizeRule.SQUASH)
    image, mask = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), bool)
    image[:, :4, 0], image[:, 4:6, 0], mask[:, :4] = 200, 100, True
    for _ in range(20):
        writer.append(image, mask, pack(mask))
    writer.close()
    writer.describe([make_sample(str(n), height=8, width=8) for n in range(20)], seed=0)
    return open_store(tmp_path)


@pytest.mark.parametrize(
    ("threshold", "jaccard", "recall"),
    [(0.5, 1.0, 1.0), (0.3, 32 / 48, 1.0), (0.9, 0.0, 0.0)],  # 100 / 255 = 0.39, 200 / 255 = 0.78
)
def test_figures_by_hand(store, threshold, jaccard, recall):
    scores = score_rows(Red(threshold=threshold), store, np.arange(20))
    assert scores["jaccard"] == pytest.approx(jaccard)
    assert scores["recall"] == pytest.approx(recall)


def test_masks_are_post_processed_before_they_are_scored(store):
    red = Red(threshold=0.3)
    red.spec = replace(red.spec, postprocess=Postprocess(smallest_area=0.8))  # 48 of 64 pixels are not enough
    assert score_rows(red, store, np.arange(20))["recall"] == 0.0


def test_processes_that_share_the_rows_get_what_one_gets(store):
    """Each of two takes every second row, and hears of the other's counts."""

    class Pair(Ranks):
        def gather(self, value):
            return shares if len(shares) == 2 else [value]

    rows = np.array([3, 7, 11, 19, 5])
    shares = []
    for rank in range(2):
        collected = []
        shares_of = Pair(rank, 2)
        object.__setattr__(shares_of, "gather", lambda value, into=collected: into.append(value) or [value])
        score_rows(Red(threshold=0.3), store, rows, shares_of)
        shares.append(collected[0])
    assert [len(share) for share in shares] == [3, 2]
    assert score_rows(Red(threshold=0.3), store, rows, Pair(0, 2)) == score_rows(Red(threshold=0.3), store, rows)


def test_predictions_come_with_their_truth(store):
    pairs = list(predict_rows(Red(size=32), store, np.array([1, 2])))
    assert len(pairs) == 2
    for probability, truth in pairs:
        assert probability.shape == truth.shape == (8, 8)
        assert probability[truth] == pytest.approx(200 / 255, abs=0.05)


def test_overlays_show_eight_pictures_from_first_to_last(store):
    overlays = paint_overlays(Red(), store, np.arange(20))
    assert len(overlays) == 8
    assert len(paint_overlays(Red(), store, np.arange(3))) == 3
    image, truth, prediction, dice = overlays[0]
    assert image.shape == (8, 8, 3)
    assert (truth == prediction).all()
    assert dice == 1.0


def test_scores_are_those_of_the_rows_alone(store):
    class Blind(Red):
        seen = 0

        def forward(self, batch):
            self.seen += len(batch)
            return super().forward(batch)

    blind = Blind()
    score_rows(blind, store, np.array([3, 7, 19]))
    assert blind.seen == 3


def test_network_of_another_size_is_scored_at_the_stores(store):
    scores = score_rows(Red(size=32), store, np.arange(20))
    assert scores["jaccard"] == pytest.approx(1.0)
