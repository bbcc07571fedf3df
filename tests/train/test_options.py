"""Options are checked once, by the name that a person typed."""

from __future__ import annotations

import tomllib

import pytest
import tomli_w

from lesionctl.errors import UsageError
from lesionctl.train.options import AUTO_BATCH_SIZE, TrainOptions


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
    [("decoder_stride", 1), ("size", 32), ("epochs", 1), ("warmup", 0.0), ("ema", 0.0), ("workers", -1), ("seed", 0)],
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
