from __future__ import annotations

import json

import numpy as np
import pytest

from lesionctl.bench.quality import Quality, dice_of
from lesionctl.dataset.exposure import Exposure
from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import BadFile, GateError, SomeInputsFailed
from lesionctl.imaging.decode import decode
from lesionctl.nets.model_spec import ModelSpec
from lesionctl.nets.spec import UNetSpec
from lesionctl.runtime import stream
from lesionctl.runtime.segmenter import Segmenter


class DarkIsLesion(Segmenter):
    """Takes dark pixels for lesion."""

    backend = "none"
    parameters = 0

    def __init__(self, seen):
        self.spec = ModelSpec(UNetSpec("none"), 64, (0.5,) * 3, (0.5,) * 3, threshold=0.5, name="dark", seen=seen)

    def forward(self, batch):
        return (1 - batch.mean(-1, dtype=np.float32) / 255).astype(np.float32)


@pytest.fixture
def make_dark(store_path):
    """A function that makes such a model, which has seen the first pictures of the test split; and only these."""

    def make(seen, complete=True):
        store = open_store(store_path)
        exposure = Exposure.of(store.samples[row] for row in store.rows(Split.TEST)[:seen])
        return DarkIsLesion(Exposure(exposure.numbers, complete))

    return make


def test_dice_is_the_mean_over_pictures_at_the_size_of_their_masks(store_path, make_dark):
    store, model = open_store(store_path), make_dark(0)
    values = []
    for row in store.rows(Split.TEST).tolist():
        sample = store.samples[row]
        truth = store.native_masks.read(row, sample.height, sample.width)
        image = decode(sample.image).image
        mask = model.mask(model.segment([image])[0], model.spec.frame(*image.shape[:2]))
        values.append(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))
    found = dice_of(model, store_path)
    assert found.dice == pytest.approx(np.mean(values), abs=1e-3)  # eval may decode at a smaller scale
    assert (found.pictures, found.of, found.groups, found.failed, found.seen) == (3, 3, 2, 0, None)
    assert found.low is found.high is None  # of two groups there is no interval
    assert 0 < found.jaccard < found.dice < 1
    assert found.label == "mean per image, store, 3 pictures of the test split, at the masks' own size"


def test_pictures_that_the_model_has_seen_are_left_out(store_path, make_dark):
    found = dice_of(make_dark(1), store_path)
    assert (found.pictures, found.of, found.seen) == (2, 3, 1)
    assert "2 of 3 pictures" in found.label
    assert found.remarks == (
        f"dark has seen 1 of the 3 pictures of {store_path}, test split, in training (same file: 1): they are left out",
    )
    assert found.digest != dice_of(make_dark(0), store_path).digest
    with pytest.raises(GateError, match="nothing is left to score"):
        dice_of(make_dark(3), store_path)


def test_a_model_that_does_not_say_what_it_has_seen_is_remarked_upon(store_path, make_dark):
    found = dice_of(make_dark(0, complete=False), store_path)
    assert found.seen is None
    assert "does not say which pictures it has seen" in found.remarks[0]


def test_some_pictures_are_spread_over_the_split(store_path, make_dark):
    found = dice_of(make_dark(0), store_path, split=Split.TRAIN, limit=3)
    assert (found.pictures, found.of, found.split) == (3, 7, "train")
    assert found.digest == dice_of(make_dark(0), store_path, split=Split.TRAIN, limit=3).digest
    assert dice_of(make_dark(0), store_path, limit=100).pictures == 3


def test_it_goes_through_json_unchanged(store_path, make_dark):
    found = dice_of(make_dark(1), store_path)
    assert Quality.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize("unreadable", [1, 3])
def test_pictures_that_cannot_be_read_are_told_and_where_none_can_it_is_an_error(
    store_path, make_dark, monkeypatch, unreadable
):
    store = open_store(store_path)
    gone = {store.samples[row].image for row in store.rows(Split.TEST)[:unreadable]}

    def decode_or_not(path, *sizes):
        if path in gone:
            raise BadFile(path, "cannot be read (No such file or directory)")
        return decode(path, *sizes)

    monkeypatch.setattr(stream, "decode", decode_or_not)
    if unreadable == 3:
        with pytest.raises(SomeInputsFailed, match="3 of 3 inputs failed, none is done"):
            dice_of(make_dark(0), store_path)
        return
    found = dice_of(make_dark(0), store_path)
    assert (found.failed, found.pictures) == (1, 3)
    assert found.remarks[-1].startswith(f"1 of 3 pictures of {store_path} could not be used, and count as ones in")
    assert found.remarks[-1].endswith(f"{gone.pop()}: cannot be read (No such file or directory)")
