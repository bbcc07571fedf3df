"""The tiny model as ONNX, and pictures in its geometry."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def tiny_onnx(tiny_spec, tiny_net, tmp_path_factory):
    """The tiny model as ONNX, said to be made from a file of the digest 5a5a...; not to be changed."""
    pytest.importorskip("onnxscript")
    from lesionctl.runtime.to_onnx import to_onnx

    path = tmp_path_factory.mktemp("onnx") / "tiny.onnx"
    path.write_bytes(to_onnx(tiny_spec, tiny_net, source="5a" * 32))
    return path


@pytest.fixture(scope="session")
def stamped_onnx(tiny_onnx):
    """A function that gives the bytes of the tiny model as ONNX, said to be made from a file of another digest."""
    import onnx

    def stamp(source):
        model = onnx.load(tiny_onnx)
        onnx.helper.set_model_props(
            model, {entry.key: entry.value for entry in model.metadata_props} | {"lesionctl.source": source}
        )
        return model.SerializeToString()

    return stamp


@pytest.fixture(scope="session")
def tiny_torch(model_file):
    """The tiny model in torch, in float32."""
    from lesionctl.runtime.load import load_segmenter

    return load_segmenter(str(model_file), "cpu", "fp32", "torch")


@pytest.fixture(scope="session")
def views():
    """Five pictures of noise, uint8 `[5, 64, 64, 3]`; not to be changed."""
    return np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
