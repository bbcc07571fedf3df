"""A model whose answer a test can know."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lesionctl.dataset.exposure import Exposure
from lesionctl.dataset.native_masks import pack
from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import StoreWriter, open_store
from lesionctl.evaluate.cases import cases_of_folder, cases_of_store
from lesionctl.evaluate.scoring import score
from lesionctl.evaluate.sides import FolderSide, ModelSide
from lesionctl.evaluate.when_seen import WhenSeen
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import UNetSpec
from lesionctl.progress import Silent
from lesionctl.runtime.segmenter import Segmenter


class DarkIsLesion(Segmenter):
    """Takes dark pixels for lesion."""

    backend = "none"
    parameters = 0

    def __init__(self, threshold: float = 0.5, seen: Exposure | None = None) -> None:
        self.spec = ModelSpec(
            UNetSpec("none"), 64, (0.5,) * 3, (0.5,) * 3, threshold=threshold, name="dark", seen=seen or Exposure()
        )

    def forward(self, batch):
        return (1 - batch.mean(-1, dtype=np.float32) / 255).astype(np.float32)


class Listener(Silent):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


@pytest.fixture(scope="session")
def dark_is_lesion():
    """The class of that model."""
    return DarkIsLesion


@pytest.fixture
def listener():
    """A listener that keeps the warnings."""
    return Listener()


@pytest.fixture
def six(tmp_path, make_sample):
    """Six pictures of 40 by 64 whose right half is dark; the lesion is the right quarter. Four of them are test."""
    mask = np.zeros((40, 64), bool)
    mask[:, 48:] = True
    image = np.full((40, 64, 3), 255, np.uint8)
    image[:, 32:] = 0
    Image.fromarray(image).save(tmp_path / "picture.png")
    splits = [Split.TRAIN, Split.VALIDATION, *[Split.TEST] * 4]
    samples = [
        make_sample(
            f"ISIC_000000{number}",
            split=split,
            fold=number if number < 2 else None,
            keys=(f"lesion_id=HAM_000000{number}",),
            image=tmp_path / "picture.png",
            height=40,
            width=64,
        )
        for number, split in enumerate(splits)
    ]
    (tmp_path / "store").mkdir()
    writer = StoreWriter(tmp_path / "store", 8, ResizeRule.SQUASH)
    for _ in samples:
        writer.append(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), bool), pack(mask))
    writer.close()
    writer.describe(samples, seed=0, folds=2)
    return open_store(tmp_path / "store")


@pytest.fixture
def score_models():
    """A function that scores models on a split of a store."""

    def run(segmenters, store, split=Split.TEST, *, fold=None, when_seen=WhenSeen.REFUSE, progress=None):
        cases = cases_of_store(store, split, fold)
        sides = [ModelSide(f"{runs.spec.name}{number or ''}", runs, []) for number, runs in enumerate(segmenters)]
        return score(sides, cases, when_seen=when_seen, progress=progress)[0]

    return run


@pytest.fixture
def score_model(score_models):
    """A function that scores one model on a split of a store."""

    def run(segmenter, store, split=Split.TEST, **how):
        return score_models([segmenter], store, split, **how)[0]

    return run


@pytest.fixture
def score_folders():
    """A function that scores folders of masks against one of true masks."""

    def run(truth, *predictions, **about):
        return score([FolderSide(folder) for folder in predictions], cases_of_folder(truth, **about))[0]

    return run
