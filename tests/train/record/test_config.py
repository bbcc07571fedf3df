"""The configuration holds what applies to the run, in the form that `--config` takes back."""

from __future__ import annotations

import tomllib

import pytest

from lesionctl.nets.spec import Arch
from lesionctl.train.options import TrainOptions
from lesionctl.train.record.config import write_config

START = {"init", "allow_seen"}
ENCODER = {"encoder", "encoder_weights"}
UNET = {"decoder_channels", "decoder_stride"}


@pytest.mark.parametrize(
    ("options", "absent"),
    [
        (TrainOptions(), START | {"output_stride", "widths"}),
        (TrainOptions(fold=0), START | {"output_stride", "widths"}),
        (TrainOptions(arch=Arch.DEEPLABV3PLUS), START | UNET | {"widths"}),
        (TrainOptions(arch=Arch.CLASSIC), START | ENCODER | UNET | {"output_stride", "layer_decay"}),
        (TrainOptions(teacher=("t",), teacher_share=0.25), {"init", "output_stride", "widths"}),
        (TrainOptions(source_weight=(("ham", 2.0),)), START | {"output_stride", "widths"}),
        (TrainOptions(init="m.safetensors"), ENCODER | UNET | {"arch", "output_stride", "widths"}),
    ],
    ids=["unet", "fold", "deeplabv3plus", "classic", "teacher", "sources", "init"],
)
def test_configuration_is_toml_of_every_option_that_applies(tmp_path, options, absent):
    write_config(tmp_path / "config.toml", tmp_path / "store", options, ["data: a digest", "validation: seen"])
    text = (tmp_path / "config.toml").read_text()
    assert text.startswith("# data: a digest\n# validation: seen\n[train]\n")
    values = tomllib.loads(text)["train"]
    expected = {"store": str(tmp_path / "store"), **options.resolved()}
    assert absent <= expected.keys()
    assert values == {name: value for name, value in expected.items() if name not in absent}
