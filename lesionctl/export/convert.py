"""From a network to the bytes of the files that hold it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lesionctl.export.formats import Format
from lesionctl.nets.model_file import save_model
from lesionctl.runtime.exported_file import Form, write_facts
from lesionctl.runtime.tolerance import Storage

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from lesionctl.nets.model_spec import ModelSpec
    from lesionctl.progress import Progress


def convert(
    spec: ModelSpec,
    net: nn.Module,
    to: Format,
    storage: Storage,
    form: Form,
    *,
    compiled: bool,
    source: str,
    calibration: Sequence[NDArray[np.uint8]],
    progress: Progress,
) -> dict[str, bytes]:
    """The files of an exported model.

    Args:
        spec: How the model is used.
        net: The network, float32, in evaluation mode, on the CPU.
        to: Their format.
        storage: Their number format.
        form: What goes in and out.
        compiled: Whether they hold machine code.
        source: SHA-256 of the model file, in hex.
        calibration: Pictures to fit int8 to, see `quantize`; used for that alone.
        progress: Who listens.

    Returns:
        Their bytes by their suffix, the one that is named last.

    Raises:
        MissingExtra: The packages that write the format are not installed.
        LesionctlError: There is no compiler.
    """
    if to is Format.LESIONCTL:
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / "model.safetensors"
            save_model(file, spec, net.state_dict(), half=storage is Storage.FP16)
            return {to.suffix: file.read_bytes()}
    if to is Format.TORCH:
        from lesionctl.runtime.to_torch import to_torch

        return {to.suffix: to_torch(spec, net, source=source, storage=storage, form=form, compiled=compiled)}

    from lesionctl.runtime.to_onnx import to_onnx

    onnx = to_onnx(spec, net, source=source, half=storage is Storage.FP16, form=form)
    if storage is Storage.INT8:
        from lesionctl.export.quantize import quantize

        onnx = _with_facts(quantize(onnx, calibration, progress=progress), write_facts(spec, form, storage, source))
    if to is Format.ONNX:
        return {to.suffix: onnx}

    from lesionctl.runtime.to_openvino import to_openvino

    xml, weights = to_openvino(onnx)
    return {".bin": weights, to.suffix: xml}


def _with_facts(onnx: bytes, facts: dict[str, str]) -> bytes:
    from onnx import helper, load_from_string

    model = load_from_string(onnx)
    helper.set_model_props(model, facts)
    return model.SerializeToString()
