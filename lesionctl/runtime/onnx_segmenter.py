"""The Segmenter on onnxruntime."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lesionctl.errors import BadFile, UsageError
from lesionctl.runtime.backend import Backend
from lesionctl.runtime.exported_file import INPUT, read_facts
from lesionctl.runtime.onnxruntime_import import import_onnxruntime
from lesionctl.runtime.precision import Precision
from lesionctl.runtime.segmenter import Segmenter
from lesionctl.runtime.threads import available_cpus, parallel_map

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from onnxruntime import InferenceSession


class OnnxSegmenter(Segmenter):
    """A whole model in an ONNX file: uint8 pictures in, probabilities out.

    On the CPU, each processor runs one picture of a batch, without waiting for the others after every layer; all work
    on a picture that comes alone. So what is said of a picture does not depend on those beside it.

    Args:
        path: A file that `lesionctl export` wrote.
        device: auto, cpu or cuda; auto takes CUDA where this build of onnxruntime has it.
        precision: AUTO or FP32, which is what onnxruntime computes such a file in.

    Attributes:
        source: SHA-256 of the model file that the file was made from, in hex; empty where it does not say.
        storage: Number format of the file, see `Storage`.

    Raises:
        MissingExtra: onnxruntime is not installed.
        LesionctlError: It is, but cannot be loaded.
        UsageError: This build of onnxruntime cannot use the device or the precision.
        BadFile: The file is damaged or was not written by this program.
    """

    def __init__(self, path: Path, device: str = "auto", precision: Precision = Precision.AUTO) -> None:
        if precision not in {Precision.AUTO, Precision.FP32}:
            raise UsageError(
                f"onnxruntime computes in fp32, not in {precision}", hint="use --precision fp32, or another --backend"
            )
        self._path = path
        self._providers = _providers(path, device)
        self._whole = self._open(threads=available_cpus())
        provider = self._whole.get_providers()[0]
        if device.startswith("cuda") and provider != "CUDAExecutionProvider":
            raise UsageError(
                "onnxruntime cannot start CUDA on this machine",
                hint="install the CUDA and cuDNN libraries that it was built for, or use --device cpu",
            )
        self._on_cpu = provider == "CPUExecutionProvider"
        self.spec, self.source, self.storage = read_facts(path, self._whole.get_modelmeta().custom_metadata_map)
        computed = "int8" if self.storage == "int8" else "fp32"
        self.backend = f"onnxruntime {computed} {provider.removesuffix('ExecutionProvider').lower()}"

    def forward(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Segmenter.forward`."""
        batch = np.ascontiguousarray(batch)
        if len(batch) == 1 or not self._on_cpu or available_cpus() == 1:
            return _run(self._whole, batch)
        pictures = (batch[index : index + 1] for index in range(len(batch)))
        return np.concatenate(list(parallel_map(lambda picture: _run(self._single, picture), pictures)))

    @cached_property
    def _single(self) -> InferenceSession:
        """Runs in the thread that calls it."""
        return self._open(threads=1)

    def _open(self, threads: int) -> InferenceSession:
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Threads that spin while they wait take the processors from decoding and from other programs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return onnxruntime.InferenceSession(self._path, options, providers=self._providers)
        except Exception as error:
            raise BadFile(self._path, f"is no ONNX file that can be run ({error})") from error


def _run(session: InferenceSession, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
    probabilities: NDArray[np.float32] = session.run(None, {INPUT: batch})[0]
    return probabilities


def _providers(path: Path, device: str) -> list[str | tuple[str, dict[str, str]]]:
    try:
        onnxruntime = import_onnxruntime()
    except Exception as error:
        raise Backend.ONNX.not_loaded(path, error) from error

    cpu = "CPUExecutionProvider"
    kind, _, number = device.partition(":")
    if kind not in {"auto", "cpu", "cuda"}:
        raise UsageError(f"onnxruntime cannot use the device '{device}'", hint="use --device cpu, or --backend torch")
    cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if kind == "cuda" and not cuda:
        raise UsageError("this build of onnxruntime has no CUDA", hint="pip install onnxruntime-gpu, or --device cpu")
    return [("CUDAExecutionProvider", {"device_id": number or "0"}), cpu] if cuda and kind != "cpu" else [cpu]
