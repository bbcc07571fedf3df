"""To int8: an ONNX model whose convolutions compute with bytes, fitted to pictures like those that it will see."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.errors import MissingExtra
from lesionctl.nets.model_spec import METADATA_KEY, ModelSpec
from lesionctl.progress import Progress, Silent
from lesionctl.runtime.onnxruntime_import import import_onnxruntime
from lesionctl.runtime.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto

    from lesionctl.progress import Task

_CONVOLUTIONS = ("Conv", "ConvTranspose")

# Beside the convolutions, what lies between them and has a form for bytes. Gates (sigmoids and the products with them)
# stay in float: they lose most by rounding and are little work.
_QUANTIZED = (*_CONVOLUTIONS, "Relu", "Clip", "Add", "Concat", "Resize", "MaxPool")

_FATAL, _WARNING = 4, 2  # onnxruntime's names for how much it writes to stderr; the latter is what it starts with


def quantize(model: bytes, calibration: Sequence[NDArray[np.uint8]], *, progress: Progress | None = None) -> bytes:
    """An ONNX model in int8, by static quantisation after training.

    The first convolution and all before it (normalisation) stay in float32, and so do the last one and all behind it
    (the logits, their upsampling, the sigmoid): they are little work, and rounding them moves probabilities most. What
    lies between has int8 weights, with a scale for each output channel, and uint8 activations. Their ranges are the
    means over the calibration pictures of the smallest and the largest value in a picture, so that one odd picture does
    not make them coarse. The graph is in the standard's own QuantizeLinear and DequantizeLinear, which onnxruntime and
    OpenVINO turn into kernels for bytes.

    Args:
        model: The bytes of a file that `to_onnx` wrote, whole or raw, with float32 or float16 weights.
        calibration: Pictures like those that it will see, as the network sees them: each uint8 `[size, size, 3]`, RGB.
            `FEWEST_PICTURES` or more. They are looked at one by one, in constant memory.
        progress: Who listens.

    Returns:
        The bytes of an ONNX file with the same inputs, outputs and metadata.

    Raises:
        MissingExtra: onnx or onnxruntime is not installed.
    """
    try:
        import onnx

        import_onnxruntime()
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise MissingExtra((error.name or "onnxruntime").partition(".")[0], "onnx", "quantising a model") from error

    original = onnx.load_from_string(model)
    prepare = _preparation(original)
    with (
        tempfile.TemporaryDirectory() as scratch,
        (progress or Silent()).task("calibrating", len(calibration)) as task,
        _quiet_onnxruntime(),
    ):
        source, prepared, quantized = (Path(scratch) / f"{name}.onnx" for name in ("source", "prepared", "quantized"))
        source.write_bytes(model)
        # Folds constants, half precision weights among them, and batch norms into convolutions.
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantized,
            _Reader(original.graph.input[0].name, map(prepare, calibration), task),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_QUANTIZED),
            nodes_to_exclude=_left_in_float(onnx.load(prepared).graph),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True},  # fed in one piece, this is the plain mean over the pictures
        )
        result = onnx.load(quantized)
    del result.metadata_props[:]  # onnxruntime adds notes to itself
    result.metadata_props.extend(original.metadata_props)
    return result.SerializeToString()


def _preparation(model: ModelProto) -> Callable[[NDArray[np.uint8]], NDArray[np.generic]]:
    """What makes a batch for the model of a picture: a raw one takes it normalised, with channels first."""
    from onnx import TensorProto

    if model.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8:
        return lambda picture: np.ascontiguousarray(picture)[None]
    spec = ModelSpec.from_json(next(entry.value for entry in model.metadata_props if entry.key == METADATA_KEY))
    mean, std = (np.array(values, np.float32) for values in (spec.mean, spec.std))

    def normalize(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        values = (picture / np.float32(255) - mean) / std  # [H, W, C]
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None])

    return normalize


def _left_in_float(graph: GraphProto) -> list[str]:
    """The names of the nodes up to the first convolution and from the last one on."""
    places = [place for place, node in enumerate(graph.node) if node.op_type in _CONVOLUTIONS]
    return [node.name for node in (*graph.node[: places[0] + 1], *graph.node[places[-1] :])]


class _Reader:
    """Feeds onnxruntime's calibration."""

    def __init__(self, name: str, batches: Iterator[NDArray[np.generic]], task: Task) -> None:
        self._name = name
        self._batches = batches
        self._task = task

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        for batch in self._batches:
            self._task.advance()
            return {self._name: batch}
        return None


@contextlib.contextmanager
def _quiet_onnxruntime() -> Iterator[None]:
    """The quantiser prints, logs and warns of its own internals, in Python and in C++; none of it helps a person."""
    onnxruntime = import_onnxruntime()
    onnxruntime.set_default_logger_severity(_FATAL)
    try:
        with quiet():
            yield
    finally:
        onnxruntime.set_default_logger_severity(_WARNING)
