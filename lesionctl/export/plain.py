"""What a runtime itself makes of an exported file, as a Segmenter, where `predict` would not run the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionctl.export.formats import Format
from lesionctl.runtime.exported_file import INPUT, Form
from lesionctl.runtime.segmenter import Segmenter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from lesionctl.nets.model_spec import ModelSpec

    Run = Callable[[NDArray[np.generic]], NDArray[np.float32]]


class PlainSegmenter(Segmenter):
    """A function of a runtime, with what a raw file leaves to others: normalisation before it, sigmoid after it.

    Args:
        spec: How the model is used.
        form: What goes into the function and comes out of it.
        run: The function, of batches.
    """

    def __init__(self, spec: ModelSpec, form: Form, run: Run) -> None:
        self.spec = spec
        self.backend = f"plain {form}"
        self._form = form
        self._run = run

    def forward(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Segmenter.forward`."""
        if self._form is Form.WHOLE:
            return self._run(batch)
        mean, std = (np.array(values, np.float32) for values in (self.spec.mean, self.spec.std))
        normalised = (batch / np.float32(255) - mean) / std  # [N, H, W, C]
        logits = self._run(np.ascontiguousarray(normalised.transpose(0, 3, 1, 2)))[:, 0]
        return np.float32(1) / (np.float32(1) + np.exp(-logits))


def open_plain(path: Path, to: Format, *, compiled: bool) -> Run:
    """What runs a file on the CPU, in float32 where the file leaves the choice.

    Args:
        path: The file.
        to: Its format.
        compiled: Whether it is a package of AOTInductor: its machine code is loaded into this process.
    """
    if to is Format.ONNX:
        from lesionctl.runtime.onnxruntime_import import import_onnxruntime

        session = import_onnxruntime().InferenceSession(path, providers=["CPUExecutionProvider"])
        return lambda batch: session.run(None, {INPUT: batch})[0]
    if to is Format.OPENVINO:
        from lesionctl.runtime.openvino_import import import_openvino
        from lesionctl.runtime.openvino_segmenter import the_core

        core = the_core(import_openvino())
        model = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        return lambda batch: model(batch)[0].copy()

    import torch

    if compiled:
        from torch._inductor import aoti_load_package

        module: Callable[..., torch.Tensor] = aoti_load_package(str(path))
    else:
        from lesionctl.runtime.program_segmenter import load_program

        module = load_program(path, torch.device("cpu"))

    @torch.inference_mode()
    def run(batch: NDArray[np.generic]) -> NDArray[np.float32]:
        output: NDArray[np.float32] = module(torch.from_numpy(batch)).numpy()
        return output

    return run
