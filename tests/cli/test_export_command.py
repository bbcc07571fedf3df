"""`lesionctl export` as a person types it."""

from __future__ import annotations

import json
import re

from lesionctl.cli.export import export
from lesionctl.runtime.load import digest_of
from lesionctl.runtime.tolerance import TOLERANCES


def test_help_states_the_tolerances():
    words = re.sub(r"\s+", " ", export.__doc__)
    for storage, tolerance in TOLERANCES.items():
        assert f"{storage}: {tolerance.describe()}." in words


def test_a_model_file_of_half_the_size_is_written_and_told_as_json(lesionctl, model_file, demo, tmp_path):
    arguments = ("--to", "lesionctl", "--precision", "fp16", "--images", demo / "images", "--masks", demo / "masks")
    done = lesionctl("export", model_file, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    written = tmp_path / "tiny.safetensors"
    assert (told["file"], told["files"], told["bytes"]) == (written.name, [written.name], written.stat().st_size)
    assert (told["format"], told["form"], told["precision"], told["opset"]) == ("lesionctl", "whole", "fp16", None)
    assert told["pictures"] == 12
    assert 0 < told["largest_difference"] <= 0.02
    assert {"mean_dice", "smallest_dice", "quantile_difference", "original_truth_dice"} <= told.keys()
    assert (told["size"], told["threshold"], told["source"]) == (64, 0.4, digest_of(model_file))
    again = lesionctl("export", model_file, *arguments)
    assert again.returncode == 2
    assert "tiny.safetensors exists already" in again.stderr


def test_what_makes_no_sense_is_refused(lesionctl, model_file, tmp_path):
    for arguments, words in (
        (("--to", "openvino", "--out", "x.onnx"), "--to openvino writes .xml"),
        (("--precision", "int8"), "int8 is fitted to 16 or more pictures"),
        (("--masks", "masks"), "--masks are those of the pictures of --images"),
    ):
        done = lesionctl("export", model_file, *arguments)
        assert done.returncode == 2
        assert words in re.sub(r"\s+", " ", done.stderr)
    (tmp_path / "cross" / "fold-0").mkdir(parents=True)
    (tmp_path / "cross" / "fold-0" / "model.safetensors").touch()
    done = lesionctl("export", "cross")
    assert done.returncode == 2
    assert "cross holds the models of a cross-validation, and one is needed" in done.stderr
    assert "hint: name one of them: cross/fold-0" in done.stderr
    assert not list(tmp_path.glob("x*"))
