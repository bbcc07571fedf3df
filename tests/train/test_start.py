"""A training may start from a model, whose word on what it has seen decides whether the validation is one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lesionctl.dataset.exposure import Exposure, SeenCount
from lesionctl.dataset.native_masks import pack
from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import StoreWriter, open_store
from lesionctl.errors import ExitCode, GateError
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.nets.model_file import save_model
from lesionctl.progress import Silent
from lesionctl.train.start import remark_on, start


class Listener(Silent):
    def __init__(self):
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


@pytest.fixture
def store(tmp_path, make_sample):
    """One picture to train on, three for validation, one for test."""
    splits = [Split.TRAIN, *[Split.VALIDATION] * 3, Split.TEST]
    samples = [make_sample(f"ISIC_000000{number}", split=split) for number, split in enumerate(splits)]
    writer = StoreWriter(tmp_path, 8, ResizeRule.SQUASH)
    for _ in samples:
        writer.append(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), bool), pack(np.zeros((20, 30), bool)))
    writer.close()
    writer.describe(samples, seed=0)
    return open_store(tmp_path)


@pytest.fixture
def from_model(store, tmp_path, tiny_spec, tiny_net, tiny_options):
    """A function that starts from a model that has seen this."""

    def run(seen, **options):
        save_model(tmp_path / "ancestor.safetensors", replace(tiny_spec, seen=seen), tiny_net.state_dict())
        listener = Listener()
        options = replace(tiny_options, init=str(tmp_path / "ancestor.safetensors"), **options)
        return start(options, store, listener), listener.warnings

    return run


def test_without_an_ancestor_there_is_nothing_to_check(store, tiny_options):
    listener = Listener()
    begun = start(tiny_options, store, listener)
    assert (begun.seen, listener.warnings) == (None, [])
    assert begun.spec.seen == Exposure.of(store.samples[:4])  # all that is not test
    assert begun.spec.seen.complete


def test_an_ancestor_that_has_seen_none_of_the_validation_passes_without_a_word(store, from_model, make_sample):
    before = Exposure.of([make_sample("ISIC_0000000_crop"), make_sample("ISIC_0000004"), make_sample("ISIC_0000009")])
    begun, warnings = from_model(before)
    assert warnings == []
    assert begun.seen == SeenCount(0, 3, {})
    assert begun.spec.seen == before | Exposure.of(store.samples[:4])


def test_an_ancestor_that_has_seen_some_of_it_is_refused(from_model, make_sample):
    with pytest.raises(GateError) as caught:
        from_model(Exposure.of([make_sample("ISIC_0000002_crop")]))
    assert caught.value.exit_code is ExitCode.GATE_FAILED
    assert "ancestor.safetensors has seen 1 of the 3 pictures of the validation split" in caught.value.what
    assert "(same id: 1)" in caught.value.what
    assert "--allow-seen" in caught.value.hint


def test_unless_that_is_allowed_and_then_it_is_said(from_model, make_sample):
    begun, warnings = from_model(Exposure.of([make_sample("ISIC_0000002_crop")]), allow_seen=True)
    assert begun.seen == SeenCount(1, 3, {"id": 1})
    assert len(warnings) == 1
    assert "has seen 1 of the 3 pictures" in warnings[0]
    assert "its scores are marked" in warnings[0]


def test_an_ancestor_that_does_not_say_is_a_warning_and_leaves_its_descendants_in_doubt(from_model):
    begun, warnings = from_model(Exposure())
    assert begun.seen is None
    assert len(warnings) == 1
    assert "cannot be checked" in warnings[0]
    assert begun.spec.seen.numbers
    assert not begun.spec.seen.complete


def test_what_is_known_of_an_ancestor_in_doubt_still_counts(from_model, make_sample):
    in_doubt = Exposure.of([make_sample("ISIC_0000001")]) | Exposure()
    with pytest.raises(GateError, match="has seen 1 of the 3"):
        from_model(in_doubt)
    _, warnings = from_model(in_doubt, allow_seen=True)
    assert len(warnings) == 2


@pytest.mark.parametrize(
    ("seen", "remark"),
    [
        (None, ""),
        (SeenCount(0, 576, {}), ""),
        (SeenCount(212, 576, {"id": 212}), "212 of 576 pictures seen by its ancestor"),
    ],
)
def test_remark(seen, remark):
    assert remark_on(seen) == remark
