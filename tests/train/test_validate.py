"""Validation scores what the segmenter gives, at the store's resolution, with the segmenter's own threshold."""

from __future__ import annotations

import numpy as np
import pytest

from lesionctl.dataset.native_masks import pack
from lesionctl.dataset.store import StoreWriter, open_store
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import NetSpec
from lesionctl.runtime.segmenter import Segmenter
from lesionctl.train.validate import choose_threshold, score_rows


class Red(Segmenter):
    """Takes the red of a pixel for its probability."""

    backend = "red"

    def __init__(self, size=8, threshold=0.5):
        self.spec = ModelSpec(NetSpec("none"), size, (0.0,) * 3, (1.0,) * 3, threshold=threshold)

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


def test_threshold_is_the_middle_of_those_that_do_well(store):
    # 0.40 to 0.78 leave exactly the lesion: of 39 the twentieth.
    assert choose_threshold(Red(), store, np.arange(20)) == pytest.approx(0.59)


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
