"""onnxruntime through its door: it does not report."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("onnxruntime")

PROGRAM = """
import sys
from lesionctl.runtime.load import load_segmenter
import numpy as np
segmenter = load_segmenter(sys.argv[1], "cpu", backend="onnxruntime")
size = segmenter.spec.size
print(segmenter.forward(np.zeros((1, size, size, 3), np.uint8)).shape)
"""


def test_a_model_is_run_without_a_trace_of_a_report(tiny_onnx, tmp_path):
    # What is to be sent is kept in the cache of the account and in the folder for temporary files before.
    folders = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "TMPDIR")}
    environment = {**os.environ, **folders}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    environment.pop("CI", None)  # where it is set, onnxruntime does not report either
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tiny_onnx)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "(1, 64, 64)\n"
    assert list(tmp_path.iterdir()) == []
