"""To OpenVINO's own format: the network in an `.xml`, its weights in a `.bin`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

from lesionctl.errors import MissingExtra


class OpenVinoFiles(NamedTuple):
    """The bytes of the two files of a model."""

    xml: bytes
    weights: bytes


def to_openvino(onnx: bytes) -> OpenVinoFiles:
    """The two files of a model, which lie beside each other under one name: `X.xml` and `X.bin`.

    Inputs, outputs and metadata are those of the ONNX file; OpenVINO keeps the entries below `rt_info/framework`.

    Args:
        onnx: The bytes of an ONNX file, from `to_onnx` or `quantize`. What it stores in float16 stays so: OpenVINO's
            own way to halve weights would round the small tensors too, which moves probabilities ten times as far.

    Raises:
        MissingExtra: OpenVINO is not installed.
    """
    try:
        from lesionctl.runtime.openvino_import import import_openvino

        openvino = import_openvino()
        from openvino.frontend import FrontEndManager
    except ImportError as error:
        raise MissingExtra("openvino", "openvino", "writing a model for OpenVINO") from error
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "model.onnx", Path(scratch) / "model.xml"
        source.write_bytes(onnx)
        frontend = FrontEndManager().load_by_framework("onnx")
        openvino.save_model(frontend.convert(frontend.load(str(source))), target, compress_to_fp16=False)
        return OpenVinoFiles(target.read_bytes(), target.with_suffix(".bin").read_bytes())
