"""The Segmenter on OpenVINO."""

from __future__ import annotations

from functools import cache, cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionctl.errors import BadFile, UsageError
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.exported_file import KEYS, read_facts
from lesionctl.runtime.openvino_import import import_openvino
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.segmenter import Segmenter
from lesionctl.runtime.threads import available_cpus

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from openvino import AsyncInferQueue, CompiledModel, InferRequest, Model

_CAPABILITIES = {Precision.FP32: "FP32", Precision.BF16: "BF16", Precision.FP16: "FP16"}
_HINTS = {Precision.FP32: "f32", Precision.BF16: "bf16", Precision.FP16: "f16"}


class OpenVinoSegmenter(Segmenter):
    """A whole model in an ONNX file, or in OpenVINO's own `.xml` and `.bin` made from one: uint8 in, probabilities out.

    Of a batch, each processor runs one picture, without waiting for the others after every layer; all work on a picture
    that comes alone. So what is said of a picture does not depend on those beside it.

    Args:
        path: A file that `lesionctl export` wrote, or `openvino.save_model` of one.
        device: auto, cpu or gpu; auto is the CPU.
        precision: AUTO takes bfloat16 where the processor multiplies it (float16 on a GPU), else float32.

    Attributes:
        source: SHA-256 of the model file that the file was made from, in hex; empty where it does not say.
        storage: Number format of the file, see `Storage`.

    Raises:
        MissingExtra: OpenVINO is not installed.
        LesionctlError: It is, but cannot be loaded.
        UsageError: OpenVINO has no such device here, or the device no such precision.
        BadFile: The file is damaged or was not written by this program.
    """

    def __init__(self, path: Path, device: str = "auto", precision: Precision = Precision.AUTO) -> None:
        try:
            openvino = import_openvino()
        except Exception as error:
            raise Backend.OPENVINO.not_loaded(path, error) from error
        self._core = the_core(openvino)
        self._device = _find_device(device, self._core.available_devices)
        precision = _choose_precision(
            precision, self._device, self._core.get_property(self._device, "OPTIMIZATION_CAPABILITIES")
        )
        self._hints = {"INFERENCE_PRECISION_HINT": _HINTS[precision], "EXECUTION_MODE_HINT": "PERFORMANCE"}
        self._model = self._read(path)
        self.spec, self.source, self.storage = read_facts(path, _metadata(self._model))
        self._model.reshape([1, self.spec.size, self.spec.size, 3])
        self._lock = Lock()
        self.backend = f"openvino {'int8' if self.storage == 'int8' else precision} {self._device.lower()}"

    def forward(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Segmenter.forward`."""
        batch = np.ascontiguousarray(batch)
        with self._lock:  # the requests are made once and used again
            if len(batch) == 1:
                probability: NDArray[np.float32] = self._alone.infer({0: batch})[0]
                return probability.copy()
            probabilities = np.empty(batch.shape[:3], np.float32)

            def keep(request: InferRequest, index: int) -> None:
                probabilities[index] = request.get_output_tensor(0).data[0]

            self._side_by_side.set_callback(keep)
            for index in range(len(batch)):
                self._side_by_side.start_async({0: batch[index : index + 1]}, index)
            self._side_by_side.wait_all()
            return probabilities

    @cached_property
    def _alone(self) -> InferRequest:
        return self._compile("LATENCY").create_infer_request()

    @cached_property
    def _side_by_side(self) -> AsyncInferQueue:
        from openvino import AsyncInferQueue

        return AsyncInferQueue(self._compile("THROUGHPUT"))

    def _compile(self, hint: str) -> CompiledModel:
        settings: dict[str, object] = {**self._hints, "PERFORMANCE_HINT": hint}
        if self._device == "CPU":
            # Pinned to one processor each, its threads would wait for whoever else is there (decoding, other programs).
            settings |= {"INFERENCE_NUM_THREADS": available_cpus(), "ENABLE_CPU_PINNING": False}
            settings |= {"NUM_STREAMS": available_cpus()} if hint == "THROUGHPUT" else {}
        return self._core.compile_model(self._model, self._device, settings)

    def _read(self, path: Path) -> Model:
        from openvino.frontend import FrontEndManager

        try:
            if path.suffix == ".xml":
                return self._core.read_model(path)
            # Core.read_model would try every format of OpenVINO on a damaged file, and some write to stderr.
            frontend = FrontEndManager().load_by_framework("onnx")
            return frontend.convert(frontend.load(str(path)))
        except Exception as error:
            raise BadFile(path, f"is no model that OpenVINO can run ({_first_line(error)})") from error


@cache
def the_core(openvino: Any) -> Any:
    """The one core of this process, which is never given up.

    Its CPU plug-in moves the stack that the thread's signal handlers run on, and back to where it was when it goes.
    Where two of them go in another order than they came, that stack is memory that was given back, and the next signal,
    even that of a child that has ended, kills the process.
    """
    return openvino.Core()


def _find_device(device: str, available: list[str]) -> str:
    name = "CPU" if device == "auto" else device.upper()
    if name not in available:
        raise UsageError(
            f"OpenVINO has no device '{device}' here: it sees {', '.join(available).lower()}",
            hint="use --device cpu, or --backend torch for CUDA and MPS",
        )
    return name


def _choose_precision(precision: Precision, device: str, capabilities: list[str]) -> Precision:
    if precision is Precision.AUTO:
        fast = Precision.BF16 if device == "CPU" else Precision.FP16
        return fast if _CAPABILITIES[fast] in capabilities else Precision.FP32
    if _CAPABILITIES[precision] not in capabilities:
        raise UsageError(
            f"OpenVINO cannot compute in {precision} on this {device}", hint="use --precision fp32, or leave it out"
        )
    return precision


def _metadata(model: Model) -> dict[str, str]:
    """The metadata entries of the ONNX file, which OpenVINO keeps as runtime information."""
    paths = {key: ["framework", key] for key in KEYS}
    return {key: str(model.get_rt_info(path).astype(str)) for key, path in paths.items() if model.has_rt_info(path)}


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line), repr(error))
