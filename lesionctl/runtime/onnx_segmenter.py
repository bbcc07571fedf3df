"""The Segmenter on onnxruntime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionctl.errors import BadFile, MissingExtra, UsageError
from lesionctl.nets.model_spec import METADATA_KEY, ModelSpec
from lesionctl.runtime.segmenter import Segmenter
from lesionctl.runtime.threads import available_cpus

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


class OnnxSegmenter(Segmenter):
    """A whole model in an ONNX file: uint8 pictures in, probabilities out.

    Args:
        path: A file that `lesionctl export` wrote.
        device: auto, cpu or cuda.

    Raises:
        MissingExtra: onnxruntime is not installed.
        UsageError: This build of onnxruntime cannot use the device.
        BadFile: The file is damaged or was not written by this program.
    """

    def __init__(self, path: Path, device: str = "auto") -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtra("onnxruntime", "onnx", f"running {path}") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = available_cpus()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=_providers(device))
        except Exception as error:
            raise BadFile(path, f"is no ONNX file that can be run ({error})") from error
        provider = self._session.get_providers()[0]
        self.backend = f"onnx fp32 {provider.removesuffix('ExecutionProvider').lower()}"
        text = self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        if text is None:
            raise BadFile(path, "does not say how it is used", hint="write it with: lesionctl export MODEL --to onnx")
        try:
            self.spec = ModelSpec.from_json(text)
        except ValueError as error:
            raise BadFile(path, f"cannot be used: {error}") from error

    def forward(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Segmenter.forward`."""
        probabilities: NDArray[np.float32] = self._session.run(None, {"image": batch})[0]
        return probabilities


def _providers(device: str) -> list[str]:
    import onnxruntime

    cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if device.startswith("cuda") and not cuda:
        raise UsageError("this build of onnxruntime has no CUDA", hint="pip install onnxruntime-gpu, or --device cpu")
    if device not in {"auto", "cpu"} and not device.startswith("cuda"):
        raise UsageError(f"onnxruntime cannot use the device '{device}'", hint="use --device cpu")
    return ["CUDAExecutionProvider", "CPUExecutionProvider"] if cuda and device != "cpu" else ["CPUExecutionProvider"]
