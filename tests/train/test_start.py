"""A training may start from a model, whose word on what it has seen decides whether the validation is one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

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
    assert "the scores are marked" in warnings[0]


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


@pytest.fixture
def taught(store, tmp_path, tiny_spec, tiny_net, tiny_options):
    """A function that starts with teachers that have seen these."""

    def run(*exposures, names=("teacher-0", "teacher-1"), spec=None, **options):
        files = []
        for name, seen in zip(names, exposures, strict=False):
            files.append(tmp_path / f"{name}.safetensors")
            files[-1].parent.mkdir(exist_ok=True)
            about = replace(spec or tiny_spec, seen=seen, training_digest=name, ancestors=("before", name))
            save_model(files[-1], about, tiny_net.state_dict())
        listener = Listener()
        options = replace(tiny_options, teacher=tuple(map(str, files)), **options)
        return start(options, store, listener), listener.warnings

    return run


def test_a_student_has_seen_what_its_teachers_have_seen_and_names_them_among_its_ancestors(store, taught, make_sample):
    seen = [Exposure.of([make_sample("ISIC_0000008")]), Exposure.of([make_sample("ISIC_0000009")])]
    begun, warnings = taught(*seen, licence="MIT", training_data="my own")
    assert (begun.seen, warnings) == (SeenCount(0, 3, {}), [])
    assert begun.spec.seen == seen[0] | seen[1] | Exposure.of(store.samples[:4])
    assert begun.spec.ancestors == ("before", "teacher-0", "teacher-1")
    assert begun.spec.licence == "MIT; its teachers: CC0"
    assert begun.spec.training_data == "my own; its teachers: nothing"


def test_teachers_change_nothing_of_the_first_weights(store, taught, tiny_options):
    torch.manual_seed(3)
    alone = start(tiny_options, store, Silent()).net.state_dict()
    torch.manual_seed(3)
    with_teacher = taught(Exposure())[0].net.state_dict()
    assert all(torch.equal(alone[name], with_teacher[name]) for name in alone)


def test_a_teacher_that_has_seen_some_of_the_validation_is_refused_by_its_name(taught, make_sample):
    with pytest.raises(GateError) as caught:
        taught(Exposure.of([make_sample("ISIC_0000009")]), Exposure.of([make_sample("ISIC_0000002_crop")]))
    assert "teacher-1.safetensors has seen 1 of the 3 pictures of the validation split" in caught.value.what
    assert "leave out that --teacher, or" in caught.value.hint
    assert "--allow-seen" in caught.value.hint


def test_what_teachers_and_ancestor_have_seen_is_counted_together(taught, tmp_path, tiny_spec, tiny_net, make_sample):
    own = Exposure.of([make_sample("ISIC_0000001")])
    save_model(tmp_path / "ancestor.safetensors", replace(tiny_spec, seen=own), tiny_net.state_dict())
    others = [Exposure.of([make_sample("ISIC_0000001"), make_sample("ISIC_0000002")]), Exposure()]
    begun, warnings = taught(*others, init=str(tmp_path / "ancestor.safetensors"), allow_seen=True)
    assert begun.seen == SeenCount(2, 3, {"sha256": 2})
    assert len(warnings) == 3  # two have seen some, one does not say
    assert begun.spec.ancestors == (tiny_spec.training_digest, "before", "teacher-0", "teacher-1")
    assert not begun.spec.seen.complete


def test_models_of_a_cross_validation_are_known_to_have_seen_all_of_it_between_them(taught, make_sample):
    with pytest.raises(GateError) as caught:
        taught(Exposure.of([make_sample("ISIC_0000001")]), names=("fold-0/model",))
    assert "the models of a cross-validation have seen all its pictures between them" in caught.value.hint


def test_a_teacher_that_knows_other_proportions_is_a_warning(taught, make_sample, tiny_spec):
    seen = Exposure.of([make_sample("ISIC_0000009")])
    _, warnings = taught(seen, spec=replace(tiny_spec, resize=ResizeRule.PAD))
    assert len(warnings) == 1
    assert "made square by 'pad'" in warnings[0]


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
