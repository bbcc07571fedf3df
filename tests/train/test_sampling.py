"""Sources may weigh differently: how often an epoch shows their pictures, and which are left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionctl.dataset.exposure import Exposure
from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store, samples_digest
from lesionctl.errors import UsageError
from lesionctl.progress import Silent
from lesionctl.train.data import EpochBatches
from lesionctl.train.options import TrainOptions
from lesionctl.train.sampling import sources_of, training_rows, views_of_a_pass
from lesionctl.train.start import start

SOURCES = ["ham"] * 10 + ["isic"] * 6 + ["ph2"] * 4


def batches_of(weights, batch_size=4, rank=0, world=1, **options):
    options = TrainOptions(**{"repeat": 1, "batch_size": batch_size, "source_weight": weights, **options})
    return EpochBatches(100 + np.arange(len(SOURCES)), options, rank, world, SOURCES)


def take(batches, epoch=0, start=0):
    batches.epoch, batches.start = epoch, start
    return list(batches)


def views(batches, epoch):
    return [view for step in take(batches, epoch) for view in step]


@pytest.mark.parametrize(
    ("weights", "repeat", "shown", "steps"),
    [
        ((), 1, {"ham": 10, "isic": 6, "ph2": 4}, 5),
        ((("ham", 0.5),), 1, {"ham": 5, "isic": 6, "ph2": 4}, 3),  # 15 views are three steps of four
        ((("ham", 2.0), ("ph2", 3.0)), 1, {"ham": 20, "isic": 6, "ph2": 12}, 9),  # 38 views
        ((("isic", 2.5),), 2, {"ham": 20, "isic": 30, "ph2": 8}, 14),  # 58 views in two passes
        ((("ham", 0.25),), 1, {"ham": 3, "isic": 6, "ph2": 4}, 3),  # 2.5 are rounded up
        ((("ham", 0.01),), 1, {"ham": 1, "isic": 6, "ph2": 4}, 2),  # one at least
        ((("ham", 0.5), ("isic", 0.5), ("ph2", 0.5)), 0, {"ham": 65, "isic": 39, "ph2": 26}, 32),  # 13 passes of 10
    ],
)
def test_an_epoch_shows_the_pictures_of_a_source_as_often_as_its_factor_says(weights, repeat, shown, steps):
    batches = batches_of(weights, repeat=repeat)
    assert batches.shown == shown
    assert batches.steps == len(take(batches)) == steps
    batches = batches_of(weights, batch_size=1, repeat=repeat or 13)  # no step is left out
    assert Counter(SOURCES[row - 100] for _, row in views(batches, epoch=3)) == shown


def test_twice_is_two_different_views_of_each_and_half_is_the_others_the_next_time():
    batches = batches_of((("ham", 2.0), ("isic", 0.5)), batch_size=1)
    first, second = (views(batches, epoch) for epoch in (0, 1))
    assert sorted(view for view in first if view[1] < 110) == [
        (turn, row) for turn in (0, 1) for row in range(100, 110)
    ]
    halves = [{row for _, row in some if 110 <= row < 116} for some in (first, second)]
    assert [len(half) for half in halves] == [3, 3]
    assert halves[0] | halves[1] == set(range(110, 116))
    orders = [[row for _, row in some if 110 <= row < 116] for some in (views(batches, 2), views(batches, 3))]
    assert set(orders[0]) != halves[0]  # another round, another order


@given(st.floats(0.05, 3.5), st.integers(0, 4), st.integers(1, 12))
def test_in_the_long_run_all_pictures_of_a_source_are_shown_equally_often(factor, seed, epochs):
    batches = batches_of((("ham", factor),), batch_size=1, seed=seed)
    shown = [view for epoch in range(epochs) for view in views(batches, epoch)]
    assert len(set(shown)) == len(shown)  # a picture that comes again comes as another view
    times = Counter(row for _, row in shown)
    of_ham = [times[row] for row in range(100, 110)]
    assert max(of_ham) - min(of_ham) <= 1
    assert {times[row] for row in range(110, 120)} == {epochs}


def test_sources_that_weigh_alike_change_nothing_of_the_order():
    rows = np.array([3, 1, 4, 15, 9, 2, 6])
    options = TrainOptions(seed=7, batch_size=2, repeat=1)
    expected = [[(4, 15), (4, 2)], [(4, 9), (4, 6)], [(4, 4), (4, 1)]]  # as it was before sources could weigh
    for sources in ((), list("abababa")):
        assert take(EpochBatches(rows, options, sources=sources), epoch=4) == expected


@pytest.mark.parametrize("start", [0, 1, 4])
def test_a_weighted_epoch_goes_on_from_any_step_and_is_decided_by_seed_and_epoch(start):
    weights = (("ham", 0.5), ("ph2", 3.0))
    whole = take(batches_of(weights, seed=7), epoch=4)
    assert len(whole) == 5  # 5 + 6 + 12 views
    assert take(batches_of(weights, seed=7), epoch=4, start=start) == whole[start:]
    assert take(batches_of(weights, seed=8), epoch=4) != whole


@pytest.mark.parametrize("world", [1, 2])
def test_processes_share_the_steps_of_a_weighted_epoch(world):
    weights = (("ham", 1.5), ("isic", 0.5))
    one = take(batches_of(weights, batch_size=2 * world), epoch=1)
    shares = [take(batches_of(weights, batch_size=2, rank=rank, world=world), epoch=1) for rank in range(world)]
    assert [[view for part in parts for view in part] for parts in zip(*shares, strict=True)] == one


def test_factors_are_rounded_to_whole_views():
    options = TrainOptions(source_weight=(("b", 0.5),))
    assert views_of_a_pass(["b"] * 5 + ["a"] * 2, options) == {"a": 2, "b": 3}


@pytest.fixture
def store(store_path):
    """7 pictures to train on, 2 for validation: in each split by turns of `ham` and `isic`, and a test of `ph2`."""
    store, turn = open_store(store_path), Counter()
    samples = []
    for sample in store.samples:
        turn[sample.split] += 1
        source = "ph2" if sample.split is Split.TEST else ("isic", "ham")[turn[sample.split] % 2]
        samples.append(replace(sample, source=source))
    return replace(store, samples=samples)


def test_a_source_that_weighs_nothing_is_not_learned_but_validated_on(store, tiny_options):
    options = replace(tiny_options, source_weight=(("isic", 0.0),))
    rows = training_rows(store, options)
    assert len(store.rows(Split.TRAIN)) == 7
    assert sources_of(store, rows) == ["ham"] * 4
    assert len(training_rows(store, tiny_options)) == 7
    learned = [store.samples[row] for row in (*rows, *store.rows(Split.VALIDATION))]
    spec = start(options, store, Silent()).spec
    assert spec.seen == Exposure.of(learned)
    assert spec.training_digest == samples_digest(learned)


@pytest.mark.parametrize(
    ("weights", "what", "hint"),
    [
        ((("isik", 2.0),), "no training pictures of a source 'isik'", "did you mean 'isic'?"),
        ((("derm", 2.0),), "no training pictures of a source 'derm'", "known: ham, isic"),
        ((("ph2", 2.0),), "no training pictures of a source 'ph2'", "known: ham, isic"),  # all are test
        ((("ham", 0.0), ("isic", 0.0)), "--source-weight leaves out every source", "above 0"),
    ],
)
def test_a_source_that_is_not_there_is_refused_and_so_is_nothing_at_all(store, tiny_options, weights, what, hint):
    with pytest.raises(UsageError, match=what) as caught:
        training_rows(store, replace(tiny_options, source_weight=weights))
    assert hint in caught.value.hint
