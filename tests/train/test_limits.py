"""What is learned last: what is familiar to the model, and the confidence below which its masks need a look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.imaging.familiarity import describe_view
from lesionctl.nets.model_file import read_model_spec
from lesionctl.runtime.segmenter import Segmenter
from lesionctl.train.limits import with_limits
from lesionctl.train.loop import train


class Truth(Segmenter):
    """Answers with the truth of a store's rows, in their order; of some nothing but doubt."""

    backend = "none"

    def __init__(self, spec, store, rows, doubtful):
        self.spec = spec
        self.answers = [
            np.full(store.masks[row].shape, 0.45, np.float32)
            if number in doubtful
            else store.masks[row] * np.float32(0.95 - 0.01 * number)
            for number, row in enumerate(rows)
        ]

    def forward(self, batch):
        some, self.answers = self.answers[: len(batch)], self.answers[len(batch) :]
        return np.stack(some)


@pytest.fixture
def limits(store_path, tiny_spec):
    """A function that learns the limits of a model that answers with the truth, but for some of 12 rows."""
    store = open_store(store_path)
    rows = np.arange(len(store.samples))

    def limits(doubtful=()):
        return with_limits(Truth(tiny_spec, store, rows, doubtful), store, rows, rows)

    return limits


def test_without_failures_the_least_confident_twentieth_is_below_the_limit(limits):
    spec = limits()
    # The least confident ones are sure to 0.84 and 0.85 of their lesions: 0.612 and 0.621 of 1 / (1 + entropy).
    assert spec.confidence_limit == pytest.approx(0.617, abs=5e-4)
    assert limits().confidence_limit == spec.confidence_limit


def test_with_failures_most_of_them_are_below_the_limit(limits, tiny_spec):
    # All of the picture is taken for lesion at a probability of 0.45, whose entropy is 0.9928 bits.
    assert limits(doubtful=range(12)).confidence_limit == pytest.approx(1 / 1.9928, abs=1e-4)


def test_all_else_of_the_spec_stays(limits, tiny_spec):
    assert replace(limits(), familiar=None, confidence_limit=None) == tiny_spec


def test_a_trained_model_knows_its_training_pictures(finished_run, store_path):
    spec = read_model_spec(finished_run.model)
    assert 0 < spec.confidence_limit < 1
    store = open_store(store_path)
    frame = spec.frame(store.info.size, store.info.size)
    rows = store.rows(Split.VALIDATION)
    distances = [spec.familiar.distance(describe_view(frame.shrink(store.images[row]))) for row in rows]
    assert spec.familiar.limit == pytest.approx(np.quantile(distances, 0.99), abs=1e-3)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert spec.familiar.distance(describe_view(noise)) > spec.familiar.limit


def test_a_run_that_begins_with_a_model_forgets_its_limits_until_its_end(
    finished_run, store_path, tiny_options, tmp_path
):
    from lesionctl.progress import Silent
    from lesionctl.train.start import start

    options = replace(tiny_options, init=str(finished_run.model), allow_seen=True)
    spec = start(options, open_store(store_path), Silent()).spec
    assert (spec.familiar, spec.confidence_limit) == (None, None)


def test_the_same_training_learns_the_same_limits_to_the_bit(finished_run, store_path, tiny_options, tmp_path):
    again = read_model_spec(train(store_path, tmp_path / "again", tiny_options).model)
    assert again == read_model_spec(finished_run.model)
