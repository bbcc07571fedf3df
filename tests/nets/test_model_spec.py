"""What a model knows of the pictures that it learned from travels in its file, and older files lack it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from lesionctl.imaging.familiarity import Familiarity
from lesionctl.nets.model_spec import ModelSpec


@pytest.fixture
def familiar():
    descriptions = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    return Familiarity.of(descriptions[:30], descriptions[30:])


def test_what_is_familiar_and_the_limit_of_confidence_survive_the_text(tiny_spec, familiar):
    spec = replace(tiny_spec, familiar=familiar, confidence_limit=0.63)
    assert ModelSpec.from_json(spec.to_json()) == spec
    assert ModelSpec.from_json(spec.to_json()) != tiny_spec
    assert "whitening" not in repr(spec)


def test_a_file_of_the_time_before_reads_as_one_that_does_not_say(tiny_spec):
    values = json.loads(tiny_spec.to_json())
    assert "familiar" not in values
    assert "confidence_limit" not in values
    spec = ModelSpec.from_json(json.dumps(values))
    assert (spec.familiar, spec.confidence_limit) == (None, None)


def test_what_is_no_familiarity_is_refused(tiny_spec):
    values = json.loads(tiny_spec.to_json()) | {"familiar": {"mean": "AAAA"}}
    with pytest.raises(ValueError, match="does not say rightly what is familiar to it"):
        ModelSpec.from_json(json.dumps(values))
