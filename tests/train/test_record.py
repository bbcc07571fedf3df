"""What a run leaves for people."""

from __future__ import annotations

import builtins
import io
import tomllib

import pytest
from PIL import Image as Pillow

from lesionctl.errors import MissingExtra
from lesionctl.train.options import TrainOptions
from lesionctl.train.record import write_config, write_curves, write_metrics

HISTORY = [
    {"epoch": n, "lr": 0.1 / n, "loss": 1 / n, "val_dice": 0.5, "val_jaccard": 0.4, "val_thresholded_jaccard": 0.0}
    for n in (1, 2)
]


def test_metrics_are_a_row_for_each_epoch(tmp_path):
    write_metrics(tmp_path / "metrics.csv", HISTORY)
    assert (tmp_path / "metrics.csv").read_text() == (
        "epoch,lr,loss,val_dice,val_jaccard,val_thresholded_jaccard\n1,0.1,1.0,0.5,0.4,0.0\n2,0.05,0.5,0.5,0.4,0.0\n"
    )


@pytest.mark.parametrize(
    ("options", "absent"),
    [
        (TrainOptions(), {"init", "allow_seen"}),
        (TrainOptions(fold=0), {"init", "allow_seen"}),
        (TrainOptions(init="m.safetensors"), {"encoder", "encoder_weights", "decoder_channels", "decoder_stride"}),
    ],
)
def test_configuration_is_toml_of_every_option_that_applies(tmp_path, options, absent):
    write_config(tmp_path / "config.toml", tmp_path / "store", options, ["data: a digest", "validation: seen"])
    text = (tmp_path / "config.toml").read_text()
    assert text.startswith("# data: a digest\n# validation: seen\n[train]\n")
    values = tomllib.loads(text)["train"]
    expected = {"store": str(tmp_path / "store"), **options.resolved()}
    assert values == {name: value for name, value in expected.items() if name not in absent}


def test_curves_are_a_picture(tmp_path):
    pytest.importorskip("matplotlib")
    write_curves(tmp_path / "curves.png", HISTORY)
    with Pillow.open(io.BytesIO((tmp_path / "curves.png").read_bytes())) as picture:
        assert (picture.format, picture.size) == ("PNG", (1320, 440))


def test_curves_without_matplotlib_name_the_extra(tmp_path, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtra, match=r"drawing curves\.png needs the package 'matplotlib'"):
        write_curves(tmp_path / "curves.png", HISTORY)
