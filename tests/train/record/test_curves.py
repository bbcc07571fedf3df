from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image as Pillow

from lesionctl.errors import MissingExtra
from lesionctl.train.record.curves import write_curves

FIGURES = {"val_dice": 0.5, "val_jaccard": 0.4, "val_thresholded_jaccard": 0.0}
HISTORY = [{"epoch": n, "lr": 0.1 / n, "loss": 1 / n, "images_per_second": 50.0, **FIGURES} for n in (1, 2, 3)]


def test_curves_are_a_picture_of_four_panels(tmp_path):
    pytest.importorskip("matplotlib")
    write_curves(tmp_path / "curves.png", HISTORY, "tversky")
    with Pillow.open(tmp_path / "curves.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (1320, 880))
        pixels = np.asarray(picture.convert("RGB"))
    blue = (pixels == (0x00, 0x72, 0xB2)).all(axis=-1)
    for rows in (slice(0, 440), slice(440, 880)):
        for columns in (slice(0, 660), slice(660, 1320)):
            assert blue[rows, columns].sum() > 300  # each panel has its line


def test_curves_without_matplotlib_name_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra) as caught:
        write_curves(tmp_path / "curves.png", HISTORY, "bce-dice")
    assert caught.value.hint == "pip install 'lesionctl[plot]'"
    assert not list(tmp_path.iterdir())
