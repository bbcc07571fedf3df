"""Options are checked once, by the name that a person typed."""

from __future__ import annotations

import tomllib

import pytest
import tomli_w

from lesionctl.errors import UsageError
from lesionctl.train.options import AUTO_BATCH_SIZE, TrainOptions, parse_source_weights


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("decoder_stride", 3),
        ("decoder_channels", ()),
        ("decoder_channels", (16, 0)),
        ("size", 31),
        ("epochs", 0),
        ("batch_size", -1),
        ("accumulate", 0),
        ("repeat", -1),
        ("output_stride", 32),
        ("widths", ()),
        ("label_smoothing", 1.0),
        ("teacher_share", 0.0),
        ("teacher_share", 1.01),
        ("source_weight", (("ham", -1.0),)),
        ("layer_decay", 0.0),
        ("layer_decay", 1.1),
        ("save_every", 0.0),
        ("overlays", -1),
        ("lr", 0.0),
        ("lr", float("nan")),
        ("weight_decay", -0.1),
        ("warmup", 1.0),
        ("warmup", -0.1),
        ("clip", 0.0),
        ("ema", 1.0),
        ("patience", 0),
        ("seed", -1),
        ("workers", -2),
    ],
)
def test_value_out_of_its_range_is_a_usage_error_with_the_options_name(name, value):
    with pytest.raises(UsageError) as caught:
        TrainOptions(**{name: value})
    assert caught.value.what.startswith(f"--{name.replace('_', '-')} cannot be")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("decoder_stride", 1),
        ("teacher_share", 1.0),
        ("size", 32),
        ("epochs", 1),
        ("warmup", 0.0),
        ("ema", 0.0),
        ("workers", -1),
        ("seed", 0),
    ],
)
def test_values_at_the_edge_are_taken(name, value):
    assert getattr(TrainOptions(**{name: value}), name) == value


def test_resolved_options_survive_toml(tiny_options):
    values = tiny_options.resolved()
    assert tomllib.loads(tomli_w.dumps(values)) == values
    assert values["decoder_channels"] == [32, 24, 16, 16, 8]
    assert values["precision"] == "fp32"
    assert values["loss"] == "bce-dice"
    assert "fold" not in values
    assert TrainOptions(fold=0).resolved()["fold"] == 0


def test_batch_size_that_is_still_to_be_found_is_written_as_people_type_it():
    assert TrainOptions(batch_size=AUTO_BATCH_SIZE).resolved()["batch_size"] == "auto"


def test_teachers_and_factors_of_sources_are_written_only_where_there_are_any():
    assert not {"teacher", "teacher_share", "source_weight"} & TrainOptions().resolved().keys()
    options = TrainOptions(teacher=("a", "b"), source_weight=(("ham", 0.5), ("a=b", 2.0)))
    values = options.resolved()
    assert (values["teacher"], values["teacher_share"]) == (["a", "b"], 0.5)
    assert values["source_weight"] == ["ham=0.5", "a=b=2.0"]
    assert parse_source_weights(values["source_weight"]) == (("a=b", 2.0), ("ham", 0.5))  # by name
    assert tomllib.loads(tomli_w.dumps(values)) == values


@pytest.mark.parametrize(
    ("texts", "what"),
    [
        (["ham"], "--source-weight 'ham' is not of the form NAME=FACTOR"),
        (["=2"], "--source-weight '=2' is not"),
        (["ham=often"], "--source-weight 'ham=often' is not"),
        (["ham=-1"], "--source-weight 'ham=-1' is not"),
        (["ham=nan"], "--source-weight 'ham=nan' is not"),
        (["ham=inf"], "--source-weight 'ham=inf' is not"),
        (["ham=1", "ham=2"], "--source-weight names 'ham' twice"),
    ],
)
def test_factors_of_another_form_are_refused(texts, what):
    with pytest.raises(UsageError) as caught:
        parse_source_weights(texts)
    assert caught.value.what.startswith(what)
