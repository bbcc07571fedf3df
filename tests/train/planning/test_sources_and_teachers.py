"""Plans of runs with teachers, or with sources that weigh differently."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest
import torch

from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import UsageError
from lesionctl.paths import BUNDLED_MODELS
from lesionctl.runtime.device import Compute
from lesionctl.runtime.precision import Precision
from lesionctl.train.learning.teachers import Teachers
from lesionctl.train.options import TrainOptions
from lesionctl.train.planning.decisions import Decisions
from lesionctl.train.planning.pace import measure_pace
from lesionctl.train.planning.plan import make_plan
from lesionctl.train.planning.plan_file import Plan, read_plan
from lesionctl.train.planning.schedule import per_step, plan_repeat
from lesionctl.train.planning.situation import Situation, look_at

CPU = Compute(torch.device("cpu"), Precision.FP32)
THERE = Situation(train=1000, validation=100, side=512, native=1024, small_lesion=0.02, device="cpu")


@pytest.fixture
def store(store_path):
    """7 pictures to train on, 2 for validation."""
    return open_store(store_path)


@pytest.mark.parametrize(
    ("weighted", "batch", "repeat", "why"),
    [
        (None, 16, 1, "1000 training pictures are 62.5 steps of 16"),
        (250, 16, 3, "250 views of 1000 training pictures are 15.6 steps of 16; an epoch"),
        (8, 8, 32, "8 views of 1000 training pictures are 1 steps of 8; an epoch"),  # no more than there are views
    ],
)
def test_an_epoch_is_as_long_as_the_views_of_its_sources_make_it(weighted, batch, repeat, why):
    decisions = Decisions(TrainOptions(), frozenset())
    plan_repeat(decisions, replace(THERE, weighted=weighted))
    assert decisions.options.repeat == repeat
    assert decisions.reasons["repeat"].startswith(why)
    assert per_step(decisions.options, replace(THERE, weighted=weighted)) == batch


def test_a_plan_is_made_of_the_sources_that_are_learned(store):
    samples = [replace(s, source="half" if row % 2 else "demo") for row, s in enumerate(store.samples)]
    store = replace(store, samples=samples)
    rows = store.rows(Split.TRAIN)
    of_demo = sum(samples[row].source == "demo" for row in rows)
    assert 0 < of_demo < len(rows) == 7
    there = look_at(store, CPU, TrainOptions(source_weight=(("half", 0.0),)))
    assert (there.train, there.weighted) == (of_demo, of_demo)
    there = look_at(store, CPU, TrainOptions(source_weight=(("half", 2.0),)))
    assert (there.train, there.weighted) == (7, of_demo + 2 * (7 - of_demo))
    with pytest.raises(UsageError, match="of a source 'halves'"):
        make_plan(store, TrainOptions(source_weight=(("halves", 2.0),)), frozenset(), None, CPU)


def test_a_plan_keeps_teachers_and_weights_of_sources_and_gives_them_back(model_file, tmp_path):
    bundled = BUNDLED_MODELS / "lesion-s.safetensors"
    options = TrainOptions(
        teacher=(str(model_file), str(bundled.resolve())), teacher_share=0.25, source_weight=(("demo", 2.0),)
    )
    made = Plan(options, dict.fromkeys(("teacher", "teacher_share", "source_weight"), "given"))
    (tmp_path / "plan.toml").write_text(made.to_toml())
    table = tomllib.loads(made.to_toml())["train"]
    assert (table["teacher"], table["source_weight"]) == ([str(model_file), "lesion-s"], ["demo=2.0"])
    values = read_plan(tmp_path / "plan.toml")
    assert {name: values[name] for name in ("teacher", "teacher_share", "source_weight")} == {
        "teacher": options.teacher,
        "teacher_share": 0.25,
        "source_weight": options.source_weight,
    }


def test_a_teacher_makes_the_measured_steps_slower(store, tiny_options, tiny_spec, model_file, monkeypatch):
    asked, real = [], Teachers.probability
    monkeypatch.setattr(Teachers, "probability", lambda self, images: asked.append(len(images)) or real(self, images))
    measure_pace(replace(tiny_options, repeat=1, teacher=(str(model_file),)), tiny_spec, store, CPU)
    assert set(asked) == {2}  # each step of two pictures asks it
